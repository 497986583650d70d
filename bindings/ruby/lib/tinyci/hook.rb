# frozen_string_literal: true

require_relative "request"

module TinyCI
  # One call of a hook callback, before the config's own hook of that name.
  class Hook < Request
    # Variables for the placeholders of all later commands. They take effect if the callback
    # returns.
    class Vars
      def initialize(&set)
        @set = set
        @values = {}
      end

      def []=(name, value)
        @set.call(Native.utf8(name), Native.utf8(value))
        @values[name.to_s] = value
      end

      # Returns a value that was set here.
      def [](name) = @values[name.to_s]

      # Sets several variables.
      def update(values)
        values.each { |name, value| self[name] = value }
        self
      end

      def to_h = @values.dup
    end

    # The outcome of the commit so far: see Outcome.
    attr_reader :outcome
    # See Vars.
    attr_reader :vars

    def initialize(address, event)
      super
      @outcome = Outcome.of(Native.value(:tinyci_event_outcome, event))
      @vars = Vars.new { |name, value| set_var(name, value) }
    end

    # Keeps the config's own hook from running, and ends the callback.
    def skip(reason = nil) = throw(self, reason || true)

    def serve(handlers)
      handler = handlers.hooks.fetch(name)
      skipped = catch(self) do
        handler.call(self)
        nil
      end
      return answer(:tinyci_request_ok) unless skipped

      answer(:tinyci_request_skip, skipped == true ? nil : Native.utf8(skipped))
    end

    private

    def set_var(name, value)
      @lock.synchronize do
        raise Error.closed("hook") unless @address

        Native.call(:tinyci_request_set_var, @address, name, value)
      end
    end
  end
end
