# frozen_string_literal: true

require "io/wait"
require "json"
require_relative "cancel_token"
require_relative "event"
require_relative "handlers"

module TinyCI
  # An active run, deployment or log, on threads of the library. Keep reading it: if the event
  # buffer is full, the run blocks. Reading also calls the callbacks.
  class Run
    include Enumerable

    # How often commands of an executor are checked, in seconds.
    WATCH_INTERVAL = 0.05
    # How long they may take to end with the run, in seconds.
    FINISH_TIME = 5
    private_constant :WATCH_INTERVAL, :FINISH_TIME

    # Owns the run at an address.
    def initialize(address, token, handlers)
      @handle = Handle.new("run", address, :tinyci_run_free)
      @token = token
      @handlers = handlers
      @lock = Mutex.new
      @commands = []
      @done = false
      @request = nil
      # A duplicate, which stays valid as long as this object.
      @io = IO.for_fd(Native.value(:tinyci_run_fd, address), autoclose: false).dup
    end

    # Passes the block each event, and calls the callbacks in this thread. Returns self after the
    # end of the run; without a block, an Enumerator.
    #
    # If a callback raises, its commit gets no verdict, and the exception is raised after the end of
    # the run. Its `cause`, unless it has one, says what the record says. A Refusal fails the step
    # instead. If the block is left early (break, raise, throw), the run is killed.
    def each
      return to_enum(:each) unless block_given?

      begin
        until done?
          event = poll
          event ? yield(event) : wait
        end
      ensure
        close unless done?
      end
      self
    end

    # Returns the next event, or nil at once if there is none: for event loops. Call it until it
    # returns nil, then wait until `to_io` is readable, with an executor only for a moment. `done?`
    # is true after the last event.
    def poll
      # A request may be left if an exception from outside came before it was served.
      event = next_event unless @request
      request, @request = @request, nil
      serve(request) if request
      @commands.each(&:watch)
      @commands.reject!(&:over?)
      raise_failure if done?
      event
    end

    # Waits until `poll` has something to do.
    def wait
      @io.wait_readable(@commands.empty? ? nil : WATCH_INTERVAL) unless done?
      nil
    end

    # For IO.select and event loops: readable when `poll` has an event.
    def to_io = @io

    # Returns true after the last event, and if the run could not start.
    def done? = @done

    # Stops the run. The first call ends the running command and still runs `after_all`; the second
    # kills everything. Works in any thread, and in a `trap` block.
    def cancel
      @token.cancel
      self
    end

    # Returns the records of a run that has ended, in the order in which its jobs ended.
    def records
      return @records if @records
      raise @error if @error

      @lock.synchronize { @handle.use { |address| read_records(address) } }
    end

    # Returns the summary of a run that has ended, the last line of `tinyci run --json`. Besides the
    # records, it has the commits that were not tested, the deployments that followed, and `error`
    # if the run had to stop early.
    def summary
      return @summary if @summary
      raise @error if @error

      @lock.synchronize { @handle.use { |address| read_summary(address) } }
    end

    # Kills an active run without `after_all` and waits until it has ended, at most the grace period
    # of its commands plus some seconds. Has no effect after the end.
    def close
      @lock.synchronize { @handle.close }
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + FINISH_TIME
      @commands.each { |command| command.finish(deadline) }
      nil
    end

    def inspect = "#<#{self.class}#{" done" if done?}>"

    private

    # The callback's exception says more than the library's error.
    def next_event
      pull
    rescue Error
      raise_failure if done?
      raise
    end

    # Pulls the next event and its request. No exception of another thread or a signal may come in
    # between, which would lose a pending request.
    def pull
      Thread.handle_interrupt(Exception => :never) do
        @lock.synchronize { done? ? nil : @handle.use { |run| pull_from(run) } }
      end
    end

    # The event is valid until the next pull, so it is copied before another thread can pull.
    def pull_from(run)
      code, event = Native.step(:tinyci_run_next, run, 0)
      if code == Header::DONE
        read_results(run)
        return end_with
      end
      return unless event

      read = Event.new(event)
      @request = Handlers.take(event, read.kind)
      read
    rescue Error => error
      end_with(error: error) unless error.code == :wrong_process
      raise
    end

    def end_with(error: nil)
      @error = error
      @done = true
      @handle.close
      nil
    end

    # Copies the results of a run that has ended.
    def read_results(run)
      @records = read_records(run)
      read_end(run)
    end

    def read_end(run)
      @summary = read_summary(run)
    end

    def read_summary(run) = JSON.parse(Native.text(:tinyci_run_summary_json, run))

    def read_records(run)
      Native.list(:records, Native.make(:tinyci_run_records, run)) { |record| Record.new(record) }
    end

    def serve(request)
      return answer(request) unless request.is_a?(Command)

      request.start(@handlers.executor) { |error| fail_with(error, request) }
      @commands << request
    end

    def answer(request)
      request.serve(@handlers)
      answered = true
    rescue StandardError, ScriptError => error
      fail_with(error, request)
      request.refuse(error)
      answered = true
    ensure
      # A throw or an exit stops the run. That must come before the request is freed, because that
      # alone would fail the step and so be a verdict.
      close unless answered
      request.abandon
    end

    # Stores the first exception, which is raised after the end of the run, and its request.
    def fail_with(error, request)
      @failure ||= [error, request] unless error.is_a?(Refusal)
    end

    def raise_failure
      error, request = @failure
      @failure = nil
      return unless error
      raise error if error.cause

      raise error, cause: @error || recorded(request)
    end

    # Returns an error with what the record says about the step of a failed callback.
    def recorded(request)
      record = @records&.find { |it| it.commit == request.commit }
      reason = record&.steps&.find { |it| it.name == request.step }&.error
      return unless reason

      Error.new("`#{request.step}` of #{request.commit[0, 10]}: #{reason}", code: :host_fault)
    end
  end
end
