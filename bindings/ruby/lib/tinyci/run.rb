# frozen_string_literal: true

require "io/wait"
require "json"
require_relative "cancel_token"
require_relative "event"
require_relative "host"

module TinyCI
  # A run under way, or something else that takes its time. It works in threads of the library's;
  # whoever takes its events keeps it going, and answers in between what it asks the host for.
  class Run
    include Enumerable

    # How often the commands of a host's executor are looked after.
    WATCH_INTERVAL = 0.05
    # How many seconds they are given to end with the run.
    FINISH_TIME = 5
    private_constant :WATCH_INTERVAL, :FINISH_TIME

    # Owns the run at an address.
    def initialize(address, token, host)
      @handle = Handle.new("run", address, :tinyci_run_free)
      @token = token
      @host = host
      @lock = Mutex.new
      @commands = []
      @done = false
      @request = nil
      # A copy, which is good for as long as this object is.
      @io = IO.for_fd(Native.value(:tinyci_run_fd, address), autoclose: false).dup
    end

    # Gives the block each event, and answers requests: hooks and functions are called right here.
    # Returns self when the run is over; without a block, an Enumerator.
    #
    # An exception of a hook or function is a mistake of the host's: its commit gets no verdict, and it
    # is raised when the run is over, its `cause` what the record says, unless it has one. Refused
    # fails the step instead. Leaving the block early (break, raise, throw) stops the run and waits
    # for its end.
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

    # The next event if there is one, else nil, at once: for event loops. Call it until it gives
    # nil, then wait until `to_io` can be read, with an executor for a moment at most; `done?` tells
    # whether there is more to come.
    def poll
      # One is left where an exception from outside came before it was served.
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

    # For IO.select and event loops: readable when `poll` has something to give.
    def to_io = @io

    # Whether all of it was pulled, or it could not begin.
    def done? = @done

    # Raises the level of the run's token: the first call ends the running command and still runs
    # `after_all`, the second kills and stops. Works in any thread, and in a `trap` block.
    def cancel
      @token.cancel
      self
    end

    # The records of a run that is over, in the order in which its commits were finished.
    def records
      return @records if @records
      raise @error if @error

      @lock.synchronize { @handle.use { |address| read_records(address) } }
    end

    # The summary of a run that is over: what `tinyci run --json` prints last. Beside the records it
    # has the commits that were not run, the deployments that followed, and as `fault` why the run had
    # to stop.
    def summary
      return @summary if @summary
      raise @error if @error

      @lock.synchronize { @handle.use { |address| read_summary(address) } }
    end

    # Stops the run at once, without `after_all`, and waits for its end: for the grace time of
    # commands and some seconds more at most. Does nothing to a run that is over.
    def close
      @lock.synchronize { @handle.close }
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + FINISH_TIME
      @commands.each { |command| command.finish(deadline) }
      nil
    end

    def inspect = "#<#{self.class}#{" done" if done?}>"

    private

    # What the host raised says more than that it failed.
    def next_event
      pull
    rescue Error
      raise_failure if done?
      raise
    end

    # The next event, and the request that it may be into its place. No exception of another thread
    # or a signal comes in between, which would lose a request that somebody waits for.
    def pull
      Thread.handle_interrupt(Exception => :never) do
        @lock.synchronize { done? ? nil : @handle.use { |run| pull_from(run) } }
      end
    end

    # The event's address dies with the next pull: all of it is read before another thread can pull.
    def pull_from(run)
      status, event = Native.step(:tinyci_run_next, run, 0)
      if status == Header::DONE
        read_results(run)
        return end_with
      end
      return unless event

      read = Event.new(event)
      @request = Host.take(event, read.kind)
      read
    rescue Error => error
      end_with(error: error) unless error.status == :wrong_process
      raise
    end

    def end_with(error: nil)
      @error = error
      @done = true
      @handle.close
      nil
    end

    # What is to be had of a run that is over.
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

      request.start(@host.executor) { |error| fail_with(error, request) }
      @commands << request
    end

    def answer(request)
      request.serve(@host)
      answered = true
    rescue StandardError, ScriptError => error
      fail_with(error, request)
      request.refuse(error)
      answered = true
    ensure
      # By a throw or an exit the run is to be stopped. That comes before the request is given up,
      # which alone would be a failed step, and so a verdict.
      close unless answered
      request.abandon
    end

    # What is to be raised when the run is over, and where it comes from.
    def fail_with(error, request)
      @failure ||= [error, request] unless error.is_a?(Refused)
    end

    def raise_failure
      error, request = @failure
      @failure = nil
      return unless error
      raise error if error.cause

      raise error, cause: @error || recorded(request)
    end

    # What the record of a commit says of a step that could not be answered for.
    def recorded(request)
      record = @records&.find { |it| it.commit == request.commit }
      said = record&.steps&.find { |it| it.name == request.step }&.error
      Error.new("`#{request.step}` of #{request.commit[0, 10]}: #{said}", status: :host_fault) if said
    end
  end
end
