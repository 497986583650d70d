# frozen_string_literal: true

require_relative "native"

module TinyCI
  # A function that scripts can call: anything with `call`, and what a plan has to know of it.
  class Function
    MOST_ARGUMENTS = 8

    # What calling it does to the world: :pure, :control (both are called by plans too), or
    # :external (a plan lists the call and does not make it).
    attr_reader :effect
    # A sentence for the reference of the script language, or nil.
    attr_reader :doc
    # How many arguments it takes, as a Range.
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

    # Adds it to the options at an address.
    def add(options, name)
      Native.call(:tinyci_options_add_function, options, Native.utf8(name), arity.min, arity.max,
                  Native.number(:EFFECT, effect), Native.utf8(doc))
    end

    private

    def arity_of(callable)
      kinds = callable.parameters.map(&:first)
      if kinds.include?(:keyreq)
        raise ArgumentError, "a function of scripts has no keywords, but #{callable.inspect} needs some"
      end

      least = callable.arity.negative? ? -callable.arity - 1 : callable.arity
      most = kinds.include?(:rest) ? MOST_ARGUMENTS : kinds.count { |kind| %i[req opt].include?(kind) }
      least..most
    end
  end
end
