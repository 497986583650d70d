# frozen_string_literal: true

require_relative "handle"

module TinyCI
  # Cancels calls. Level 1 ends the running command and still runs `after_all`; level 2 kills it.
  # One token can cancel several calls.
  class CancelToken
    # A token with a parent is also canceled with the parent.
    def initialize(parent = nil)
      address = parent ? parent.child_address : Native.value(:tinyci_cancel_new)
      @handle = Handle.new("token", address, :tinyci_cancel_free)
    end

    # Makes a token that is canceled with this one, or alone: for one of several runs.
    def child = self.class.new(self)

    # Raises the level by one. Works in any thread, and in a `trap` block.
    def cancel
      Native.value(:tinyci_cancel_trigger, address)
      self
    end

    # Returns the level: 0, 1 or 2.
    def level = Native.value(:tinyci_cancel_level, address)

    def canceled? = level.positive?

    # The address, for calls that take the token.
    def address = @handle.address

    protected

    def child_address = Native.value(:tinyci_cancel_child, address)
  end
end
