# frozen_string_literal: true

require_relative "native"

module TinyCI
  # A function for scripts: an object with `call`, and what a dry run must know about it.
  class Function
    MOST_ARGUMENTS = 8

    # :pure (computes or reads), :control (directs the script) or :external (changes something). A
    # dry run calls the first two, and only lists calls of the third.
    attr_reader :effect
    # One sentence for the script reference, or nil.
    attr_reader :doc
    # The number of arguments, as a Range.
    attr_reader :arity

    def self.wrap(function) = function.is_a?(self) ? function : new(function)

    def initialize(callable, effect: :external, doc: nil)
      raise ArgumentError, "#{callable.inspect} has no `call`" unless callable.respond_to?(:call)

      @callable = callable
      @effect = effect
      @doc = doc
      @arity = arity_of(callable.is_a?(Proc) ? callable : callable.method(:call))
    end

    def call(*arguments) = @callable.call(*arguments)

    # Adds the function to the options at an address.
    def add(options, name)
      Native.call(:tinyci_options_add_function, options, Native.utf8(name), arity.min, arity.max,
                  Native.number(:EFFECT, effect), Native.utf8(doc))
    end

    private

    def arity_of(callable)
      kinds = callable.parameters.map(&:first)
      if kinds.include?(:keyreq)
        raise ArgumentError, "scripts have no keyword arguments, but #{callable.inspect} needs some"
      end

      least = callable.arity.negative? ? -callable.arity - 1 : callable.arity
      named = kinds.count { |kind| %i[req opt].include?(kind) }
      least..(kinds.include?(:rest) ? MOST_ARGUMENTS : named)
    end
  end
end
