# frozen_string_literal: true

require_relative "native"

module TinyCI
  # Owns an object of the library, which is freed once: when it is closed and the last call that
  # uses it has returned, else when Ruby collects it, else when Ruby exits.
  class Handle
    # Shared with the finalizer, which must not refer to the handle itself.
    Owned = Struct.new(:address, :free) do
      def release
        freed = address
        self.address = nil
        Native.value(free, freed) if freed
      end

      # The finalizer. A slow call gets a thread, so that Ruby does not wait; when Ruby exits it
      # waits, because it can start no threads then.
      def release_unused
        return release unless Native::LONG.include?(free)

        begin
          Thread.new { release }
        rescue ThreadError
          release
        end
      end
    end
    private_constant :Owned

    # `what` is for error messages, `free` the name of the function that frees the address.
    def initialize(what, address, free)
      @what = what
      @owned = Owned.new(address, free)
      @users = 0
      @closed = false
      @lock = Mutex.new
      ObjectSpace.define_finalizer(self, self.class.finalizer(@owned))
    end

    # A class method, so that the proc does not refer to the handle.
    def self.finalizer(owned) = proc { owned.release_unused }

    # Passes the block the address, which is valid until the block ends.
    def use
      @lock.synchronize do
        raise Error.closed(@what) if @closed

        @users += 1
      end
      begin
        yield @owned.address
      ensure
        last = @lock.synchronize { (@users -= 1).zero? && @closed }
        @owned.release if last
      end
    end

    # The address without protection: for calls that hold Ruby's lock, on objects that are never
    # closed.
    def address = @owned.address

    def close
      last = @lock.synchronize do
        next if @closed

        @closed = true
        @users.zero?
      end
      @owned.release if last
    end

    def closed? = @closed
  end
end
