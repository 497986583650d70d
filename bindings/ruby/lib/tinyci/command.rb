# frozen_string_literal: true

require "json"
require_relative "request"

module TinyCI
  # A command for the program's executor, which runs it on a separate thread. If the engine has
  # several jobs, several commands run at the same time. The loop continues meanwhile.
  #
  # If the command is canceled or times out, its thread raises an Error with the code :canceled, as
  # Timeout does. An executor must end its processes in an `ensure`.
  class Command < Request
    # How often a write checks for room, in seconds.
    LOOK_AGAIN = 0.05
    private_constant :LOOK_AGAIN

    # The script for `/bin/sh -c`, or nil if the command is a program with arguments.
    attr_reader :shell
    # Program and arguments, also for a shell: for Process.spawn and IO.popen.
    attr_reader :argv
    # The working directory.
    attr_reader :cwd
    # The complete environment: for Process.spawn with the option `unsetenv_others: true`.
    attr_reader :env
    # The niceness of the command, 0 to 19; see nice(1).
    attr_reader :nice
    # The bytes of the standard input; nil if it is empty.
    attr_reader :input
    # The time that is left in seconds, or nil for no limit.
    attr_reader :timeout

    def initialize(address, event)
      super
      command = JSON.parse(Native.value(:tinyci_request_command_json, address))
      @shell, @cwd, @env = command.values_at("shell", "cwd", "env")
      exact = command.fetch("env_hex", []).to_h { |pair| pair.map { |hex| [hex].pack("H*") } }
      @env = @env.merge(exact)
      @nice = command.fetch("nice", 0)
      @argv = command["argv"] || ["/bin/sh", "-c", @shell]
      hex = command["input_hex"]
      @input = hex ? [hex].pack("H*") : command["input"]
      @timeout = command["timeout_ms"]&.fdiv(1000)
      @split = command["output"] == "split"
      @room = ConditionVariable.new
    end

    # True if standard error must be passed on separately.
    def split? = @split

    # Passes on output of the command: any bytes, of :stdout or :stderr. Blocks while the event
    # buffer is full.
    def write(data, stream: :stdout)
      number = Native.number(:STREAM, stream)
      @lock.synchronize do
        raise Error.closed("command") unless @address

        while Native.call(:tinyci_request_command_output, @address, number, data, data.bytesize) ==
              Header::AGAIN
          @room.wait(@lock, LOOK_AGAIN)
          raise Error.closed("command") unless @address
        end
      end
      data.bytesize
    end

    # Runs the command. Calls the block with an exception before it answers.
    def start(executor, &failed)
      # The new thread inherits the mask.
      Thread.handle_interrupt(Error => :never) { @thread = Thread.new { run(executor, failed) } }
    end

    # Called after a pull: there may be room for output, or the command may be canceled.
    def watch
      @lock.synchronize { @room.broadcast }
      stop if canceled?
    end

    # Returns true if the thread has ended. If it did not answer, the step fails.
    def over?
      return false if @thread.alive?

      abandon
      true
    end

    # Ends the thread, at the latest at the deadline. A thread that hangs is left behind.
    def finish(deadline)
      stop
      @thread.join([deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max)
    end

    private

    def stop
      return if @stopped || !@thread.alive?

      @stopped = true
      @thread.raise(Error.new("the command was canceled", code: :canceled))
    end

    def run(executor, failed)
      status = Thread.handle_interrupt(Error => :immediate) { executor.call(self) }
      answer(:tinyci_request_command_finish, *exit_of(status))
    rescue StandardError, ScriptError => error
      failed.call(error) unless error.is_a?(Error) && error.code == :canceled
      refuse(error)
    end

    # Returns the exit code and the number of the signal.
    def exit_of(status)
      case status
      when Integer then [status, 0]
      when Process::Status then [status.exitstatus || 0, status.termsig || 0]
      else raise TypeError, "expected an exit code or a Process::Status of the executor, got " \
                            "#{status.inspect}"
      end
    end
  end
end
