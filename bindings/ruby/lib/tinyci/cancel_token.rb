# frozen_string_literal: true

require_relative "handle"

module TinyCI
  # A level that stops what it was given to: 1 ends the running command and still runs `after_all`,
  # 2 kills and stops. It never falls, so one token serves any number of calls.
  class CancelToken
    # Of a parent the level counts too.
    def initialize(parent = nil)
      address = parent ? parent.child_address : Native.value(:tinyci_cancel_new)
      @handle = Handle.new("token", address, :tinyci_cancel_free)
    end

    # A token that is canceled when this one is, or on its own: for one of several runs.
    def child = self.class.new(self)

    # Raises the level by one. Works in any thread, and in a `trap` block.
    def cancel
      Native.value(:tinyci_cancel_trigger, address)
      self
    end

    # 0, 1 or 2.
    def level = Native.value(:tinyci_cancel_level, address)

    def canceled? = level.positive?

    # For the calls that it is given to.
    def address = @handle.address

    protected

    def child_address = Native.value(:tinyci_cancel_child, address)
  end
end
