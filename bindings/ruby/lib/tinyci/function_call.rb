# frozen_string_literal: true

require "json"
require_relative "request"

module TinyCI
  # One call of a registered function by a script.
  class FunctionCall < Request
    INTEGERS = (-(1 << 63)...(1 << 63))
    private_constant :INTEGERS

    # The arguments: nil, true, false, Integer, Float, String, Array or Hash.
    attr_reader :arguments

    def initialize(address, event)
      super
      @arguments = Array.new(Native.value(:tinyci_request_arg_count, address)) do |index|
        argument(address, index)
      end
    end

    def serve(handlers)
      return_value(handlers.functions.fetch(name).call(*arguments))
    end

    private

    def argument(address, index)
      case Native.value(:tinyci_request_arg_kind, address, index)
      when Header::VALUE_NULL then nil
      when Header::VALUE_BOOL then Native.value(:tinyci_request_arg_int, address, index) == 1
      when Header::VALUE_INT then Native.value(:tinyci_request_arg_int, address, index)
      when Header::VALUE_FLOAT then Native.value(:tinyci_request_arg_float, address, index)
      else JSON.parse(Native.value(:tinyci_request_arg_json, address, index), max_nesting: false)
      end
    end

    def return_value(value)
      case value
      when nil then answer(:tinyci_request_return_null)
      when true, false then answer(:tinyci_request_return_bool, value ? 1 : 0)
      when Integer
        # C would wrap it around.
        unless INTEGERS.cover?(value)
          raise RangeError, "#{name} returned #{value}, which exceeds 64 bits"
        end

        answer(:tinyci_request_return_int, value)
      when Float then answer(:tinyci_request_return_float, value)
      when String, Symbol, Array, Hash
        answer(:tinyci_request_return_json, JSON.generate(value, max_nesting: 0))
      else raise TypeError, "#{name} returned #{value.inspect}, which has no equivalent in scripts"
      end
    end
  end
end
