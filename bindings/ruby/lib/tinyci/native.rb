# frozen_string_literal: true

require "fiddle"
require_relative "error"
require_relative "header"
require_relative "library"

module TinyCI
  # Calls of the C functions: here texts, outputs and errors become Ruby's.
  #
  # | a function that                        | is called by |
  # |----------------------------------------|--------------|
  # | returns a value                        | `value`      |
  # | returns bytes, whose number it stores  | `bytes`      |
  # | returns a status                       | `call`       |
  # | returns a status and stores a pointer  | `make`       |
  # | gives the next of many                 | `step`       |
  # | returns a status and stores a text     | `text`       |
  #
  # What may take long lets other Ruby threads run. Everything else holds Ruby's lock during the
  # call, which is quicker, and keeps two threads from being in one object at once.
  module Native
    TYPES = {
      void: Fiddle::TYPE_VOID, status: Fiddle::TYPE_INT32_T, int32: Fiddle::TYPE_INT32_T,
      int64: Fiddle::TYPE_INT64_T, uint32: -Fiddle::TYPE_INT32_T, uint64: -Fiddle::TYPE_INT64_T,
      size: Fiddle::TYPE_SIZE_T, double: Fiddle::TYPE_DOUBLE, text: Fiddle::TYPE_CONST_STRING
    }.freeze
    # Beside these, whatever is asked of an engine may take long.
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
      # What an accessor returns. A handle is an Integer, 0 for NULL.
      def value(name, *arguments)
        result = FUNCTIONS.fetch(name).call(*arguments)
        case result
        when String then result.force_encoding(Encoding::UTF_8)
        when Fiddle::Pointer then result.to_i
        else result
        end
      end

      # Bytes as they are, or nil.
      def bytes(name, handle)
        length = place
        pointer = FUNCTIONS.fetch(name).call(handle, length)
        pointer.null? ? nil : pointer[0, length.unpack1("J")]
      end

      # Makes a call that can fail, and returns its status: OK, DONE or AGAIN.
      def call(name, *arguments)
        error = place
        status = FUNCTIONS.fetch(name).call(*arguments, error)
        raise taken_error(stored(error)) if status.negative?

        status
      end

      # What such a call stored last: an address, nil where it stored none.
      def make(name, *arguments)
        step(name, *arguments).last
      end

      # The status of such a call, and what it stored.
      def step(name, *arguments)
        out = place
        status = call(name, *arguments, out)
        [status, stored(out)]
      end

      # The text that such a call stored.
      def text(name, *arguments)
        taken_text(make(name, *arguments))
      end

      # The text at an address that the library stored, which is freed; "" for none.
      def taken_text(address)
        return "" unless address

        Fiddle::Pointer.new(address).to_s.force_encoding(Encoding::UTF_8)
      ensure
        value(:tinyci_string_free, address)
      end

      # Room for a pointer, to be given to a call.
      def place = [0].pack("J")

      # What a call stored there: an address, nil where it stored none.
      def stored(place)
        address = place.unpack1("J")
        address unless address.zero?
      end

      # Gives the block an object that is freed afterwards: one that `*_new` makes.
      def with_new(type)
        handle = value(:"tinyci_#{type}_new")
        yield handle
      ensure
        value(:"tinyci_#{type}_free", handle) if handle
      end

      # All of a list that `make` made, each as the block reads it.
      def list(type, address)
        items = []
        loop do
          status, item = step(:"tinyci_#{type}_next", address)
          return items if status == Header::DONE

          items << yield(item)
        end
      ensure
        value(:"tinyci_#{type}_free", address)
      end

      # A text on its way in: what is a name or a value, in UTF-8. Paths keep their bytes.
      def utf8(value)
        return if value.nil?

        text = string(value)
        case text.encoding
        when Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY then text
        else text.encode(Encoding::UTF_8)
        end
      end

      # A path on its way in, absolute: the call that takes it may run on another thread, while this
      # one goes to another directory.
      def absolute(path)
        path = utf8(path)
        path.empty? ? path : File.absolute_path(path)
      end

      # Seconds as milliseconds.
      def milliseconds(seconds)
        (Float(seconds) * 1000).ceil
      end

      # A number without a sign. C would take what is left of one that does not fit.
      def unsigned(number, bits)
        number = Integer(number)
        return number if (0...(1 << bits)).cover?(number)

        raise RangeError, "#{number} is no number from 0 to #{(1 << bits) - 1}"
      end

      # A number that stands for a name: `number(:OUTCOME, :success)`.
      def number(group, name)
        names(group).key(name.to_s.downcase.to_sym) ||
          raise(ArgumentError, "#{name.inspect} is none of: #{names(group).values.join(", ")}")
      end

      # The numbers of a group, each with its name as a Symbol.
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
