# frozen_string_literal: true

require "fiddle"
require_relative "error"
require_relative "header"
require_relative "library"

module TinyCI
  # Calls the C functions, and converts strings, outputs and errors.
  #
  # | a function that                        | is called by |
  # |----------------------------------------|--------------|
  # | returns a value                        | `value`      |
  # | returns bytes and stores their number  | `bytes`      |
  # | returns a code                         | `call`       |
  # | returns a code and stores a pointer    | `make`       |
  # | stores the next item of a list         | `step`       |
  # | returns a code and stores a string     | `text`       |
  #
  # Calls that may take long let other Ruby threads run. All others hold Ruby's lock, which is
  # faster, and prevents two threads from using one object at the same time.
  module Native
    TYPES = {
      void: Fiddle::TYPE_VOID, code: Fiddle::TYPE_INT32_T, int32: Fiddle::TYPE_INT32_T,
      int64: Fiddle::TYPE_INT64_T, uint32: -Fiddle::TYPE_INT32_T, uint64: -Fiddle::TYPE_INT64_T,
      size: Fiddle::TYPE_SIZE_T, double: Fiddle::TYPE_DOUBLE, text: Fiddle::TYPE_CONST_STRING
    }.freeze
    # Besides these, every call with an engine may take long.
    LONG = %i[tinyci_engine_open tinyci_engine_discover tinyci_run_free].freeze

    def self.bind(library)
      Header::FUNCTIONS.to_h do |name, (result, *parameters)|
        types = [result, *parameters].map { |kind| TYPES.fetch(kind, Fiddle::TYPE_VOIDP) }
        long = LONG.include?(name) || parameters.first == :engine
        address = library[name.to_s]
        [name, Fiddle::Function.new(address, types.drop(1), types.first, need_gvl: !long)]
      end
    end
    private_class_method :bind

    LIBRARY = Library.open
    FUNCTIONS = bind(LIBRARY).freeze
    private_constant :LIBRARY, :FUNCTIONS

    class << self
      # Returns the result of an accessor. A handle is an Integer, 0 for NULL.
      def value(name, *arguments)
        result = FUNCTIONS.fetch(name).call(*arguments)
        case result
        when String then result.force_encoding(Encoding::UTF_8)
        when Fiddle::Pointer then result.to_i
        else result
        end
      end

      # Returns bytes, or nil.
      def bytes(name, handle)
        length = place
        pointer = FUNCTIONS.fetch(name).call(handle, length)
        pointer.null? ? nil : pointer[0, length.unpack1("J")]
      end

      # Makes a call that can fail, and returns its code: OK, DONE or AGAIN.
      def call(name, *arguments)
        error = place
        code = FUNCTIONS.fetch(name).call(*arguments, error)
        raise taken_error(stored(error)) if code.negative?

        code
      end

      # Returns the address that such a call stored last, or nil.
      def make(name, *arguments)
        step(name, *arguments).last
      end

      # Returns the code of such a call and the address that it stored.
      def step(name, *arguments)
        out = place
        code = call(name, *arguments, out)
        [code, stored(out)]
      end

      # Returns the string that such a call stored.
      def text(name, *arguments)
        taken_text(make(name, *arguments))
      end

      # Returns and frees the string at an address; "" for nil.
      def taken_text(address)
        return "" unless address

        Fiddle::Pointer.new(address).to_s.force_encoding(Encoding::UTF_8)
      ensure
        value(:tinyci_string_free, address)
      end

      # Returns room for a pointer that a call stores.
      def place = [0].pack("J")

      # Returns the address that a call stored there, or nil.
      def stored(place)
        address = place.unpack1("J")
        address unless address.zero?
      end

      # Passes the block an object that `*_new` makes, and frees it afterwards.
      def with_new(type)
        handle = value(:"tinyci_#{type}_new")
        yield handle
      ensure
        value(:"tinyci_#{type}_free", handle) if handle
      end

      # Returns all items of a list, each as the block reads it, and frees the list.
      def list(type, address)
        items = []
        loop do
          code, item = step(:"tinyci_#{type}_next", address)
          return items if code == Header::DONE

          items << yield(item)
        end
      ensure
        value(:"tinyci_#{type}_free", address)
      end

      # Converts a string for C to UTF-8. Paths keep their bytes.
      def utf8(value)
        return if value.nil?

        text = string(value)
        case text.encoding
        when Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY then text
        else text.encode(Encoding::UTF_8)
        end
      end

      # Converts a path for C to an absolute one. The call may run on another thread, while this one
      # changes the working directory.
      def absolute(path)
        path = utf8(path)
        path.empty? ? path : File.absolute_path(path)
      end

      # Converts seconds to milliseconds.
      def milliseconds(seconds)
        (Float(seconds) * 1000).ceil
      end

      # Returns an unsigned number. C would cut off one that does not fit.
      def unsigned(number, bits)
        number = Integer(number)
        return number if (0...(1 << bits)).cover?(number)

        raise RangeError, "#{number} is not in the range from 0 to #{(1 << bits) - 1}"
      end

      # Returns the number of a name: `number(:OUTCOME, :success)`.
      def number(group, name)
        names(group).key(name.to_s.downcase.to_sym) ||
          raise(ArgumentError, "unknown #{name.inspect}: expected one of " \
                               "#{names(group).values.join(", ")}")
      end

      # Returns the numbers of a group with their names as Symbols.
      def names(group)
        Header::NAMES.fetch(group)
      end

      private

      def string(value)
        case value
        when String then value
        when Symbol, Numeric, true, false then value.to_s
        else
          return value.to_path if value.respond_to?(:to_path)
          return value.to_str if value.respond_to?(:to_str)

          raise TypeError, "no implicit conversion of #{value.class} into String"
        end
      end

      def taken_error(address)
        Error.read(address)
      ensure
        value(:tinyci_error_free, address)
      end
    end
  end
end
