# frozen_string_literal: true

require "json"
require_relative "request"

module TinyCI
  # A command that the host's executor runs, in a thread of its own: several run at once where the
  # engine has several jobs, and the loop goes on meanwhile.
  #
  # One that is canceled, or late, is ended by an Error of status :canceled that is raised in its
  # thread, as Timeout does it. An executor ends what it started in an `ensure`.
  class Command < Request
    # How long a write waits before it looks for room again, whatever was pulled meanwhile.
    LOOK_AGAIN = 0.05
    private_constant :LOOK_AGAIN

    # The text for `/bin/sh -c`, or nil if it is no shell that is asked for.
    attr_reader :shell
    # Program and arguments, also for a shell: for Process.spawn and IO.popen.
    attr_reader :argv
    # The folder to run in.
    attr_reader :cwd
    # The whole environment, and nothing of the host's own beside it: for Process.spawn, and with its
    # option `unsetenv_others: true`.
    attr_reader :env
    # How far it is to stand back when others need the processor: 0 to 19.
    attr_reader :nice
    # The bytes for its standard input, which is empty for nil.
    attr_reader :input
    # How many seconds it may still take, or nil.
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

    # Whether standard error is told apart from standard output.
    def split? = @split

    # Passes on what the command wrote: any bytes, cut anywhere, of :stdout or :stderr. Waits while
    # much of it is still to be pulled.
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

    # Runs it. The block is told of an exception, before the answer is given.
    def start(executor, &failed)
      # The thread begins with what holds here.
      Thread.handle_interrupt(Error => :never) { @thread = Thread.new { run(executor, failed) } }
    end

    # Something was pulled: there may be room for more, or nobody may wait any more.
    def watch
      @lock.synchronize { @room.broadcast }
      stop if canceled?
    end

    # Whether its thread has ended. One that did so without an answer fails its step.
    def over?
      return false if @thread.alive?

      abandon
      true
    end

    # Ends its thread, which is given some seconds for it. One that hangs is left behind.
    def finish(deadline)
      stop
      @thread.join([deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max)
    end

    private

    def stop
      return if @stopped || !@thread.alive?

      @stopped = true
      @thread.raise(Error.new("the command was canceled", status: :canceled))
    end

    def run(executor, failed)
      status = Thread.handle_interrupt(Error => :immediate) { executor.call(self) }
      answer(:tinyci_request_command_finish, *exit_of(status))
    rescue StandardError, ScriptError => error
      failed.call(error) unless error.is_a?(Error) && error.status == :canceled
      refuse(error)
    end

    # The exit code and the signal that ended it.
    def exit_of(status)
      case status
      when Integer then [status, 0]
      when Process::Status then [status.exitstatus || 0, status.termsig || 0]
      else raise TypeError, "the executor returned #{status.inspect}, which is neither an exit " \
                            "code nor a Process::Status"
      end
    end
  end
end
