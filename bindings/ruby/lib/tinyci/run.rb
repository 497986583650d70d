# frozen_string_literal: true

require "io/wait"
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
      # A copy, which is good for as long as this object is.
      @io = IO.for_fd(Native.value(:tinyci_run_fd, address), autoclose: false).dup
    end

    # Gives the block each event, and answers requests: hooks and functions are called right here.
    # Returns self when the run is over; without a block, an Enumerator.
    #
    # An exception of a hook or function fails its step, and is raised when the run is over. Leaving
    # the block early (break, raise, throw) stops the run and waits for its end.
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

    # The next event if there is one, else nil, at once: for event loops. Call it until it gives nil,
    # then wait until `to_io` can be read; `done?` tells whether there is more to come.
    def poll
      event, request = pull
      serve(request) if request
      @commands.each(&:watch)
      @commands.select!(&:running?)
      raise_failure if done?
      event
    end

    # Waits until `poll` has something to do.
    def wait
      return if done?

      @io.wait_readable(@commands.empty? ? nil : WATCH_INTERVAL)
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

    # The next event and the request that it may be. No exception of another thread or a signal comes
    # in between, which would lose a request that somebody waits for.
    def pull
      Thread.handle_interrupt(Exception => :never) do
        @lock.synchronize { done? ? nil : @handle.use { |run| pull_from(run) } }
      end
    end

    # The event's address dies with the next pull: all of it is read before another thread can pull.
    def pull_from(run)
      status, event = Native.step(:tinyci_run_next, run, 0)
      return end_with(records: read_records(run)) if status == Header::DONE
      return unless event

      read = Event.new(event)
      [read, Host.take(event, read.kind)]
    rescue Error => error
      end_with(error: error) unless error.status == :wrong_process
      raise
    end

    def end_with(records: nil, error: nil)
      @records = records
      @error = error
      @done = true
      @handle.close
      nil
    end

    def read_records(run)
      Native.list(:records, Native.make(:tinyci_run_records, run)) { |record| Record.new(record) }
    end

    def serve(request)
      if request.is_a?(Command)
        request.start(@host.executor) { |error| fail_with(error) }
        @commands << request
      else
        begin
          request.serve(@host)
        rescue StandardError, ScriptError => error
          fail_with(error)
          request.refuse(error)
        ensure
          request.abandon
        end
      end
    end

    # What is to be raised when the run is over.
    def fail_with(error)
      @failure ||= error unless error.is_a?(Refused)
    end

    def raise_failure
      failure = @failure
      @failure = nil
      raise failure if failure
    end
  end
end
