# frozen_string_literal: true

require_relative "native"

module TinyCI
  # Owns an object of the library's, which is freed once: when it is closed and the last call that
  # uses it has returned, else when Ruby finds it unused, else when Ruby ends.
  class Handle
    # What is shared with the finalizer, which must not hold the handle itself.
    Owned = Struct.new(:address, :free) do
      def release
        freed = address
        self.address = nil
        Native.value(free, freed) if freed
      end

      # As a finalizer: Ruby's own work does not wait for what takes long. When Ruby ends it does,
      # because there are no new threads then.
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

    # `what` is for messages, `free` the name of the function that frees the address.
    def initialize(what, address, free)
      @what = what
      @owned = Owned.new(address, free)
      @users = 0
      @closed = false
      @lock = Mutex.new
      ObjectSpace.define_finalizer(self, self.class.finalizer(@owned))
    end

    # Made here, where `self` is no handle that the proc would keep.
    def self.finalizer(owned) = proc { owned.release_unused }

    # Gives the block the address, which is good until the block is left.
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

    # The address without a promise: for calls that hold Ruby's lock, of what is never closed.
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
