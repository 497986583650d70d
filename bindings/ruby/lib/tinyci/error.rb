# frozen_string_literal: true

module TinyCI
  # A failed call: tinyci could not do what the program asked for. A failed build is not an error.
  class Error < StandardError
    # The kind of error: :not_found, :busy, :config and so on, as in the C header; :unknown for one
    # of a later version.
    attr_reader :code
    # The file or repository that the error is about, or nil.
    attr_reader :file
    # The position in that file, from 1, or nil.
    attr_reader :line, :column
    # The causes at the end of the message, nearest first.
    attr_reader :causes
    # The code of the Refusal that caused the error; else 0.
    attr_reader :host_code

    def initialize(message, code:, file: nil, line: nil, column: nil, causes: [], host_code: 0)
      super(message)
      @code = code
      @file = file
      @line = line
      @column = column
      @causes = causes
      @host_code = host_code
    end

    # Copies the error at an address.
    def self.read(address)
      line, column = %w[line column].map { |part| Native.value(:"tinyci_error_#{part}", address) }
      causes = (0..).lazy.map { |depth| Native.value(:tinyci_error_cause, address, depth) }
      name = Native.value(:tinyci_code_name, Native.value(:tinyci_error_code, address))
      new(Native.value(:tinyci_error_message, address),
          code: name ? name.to_sym : :unknown,
          file: Native.value(:tinyci_error_file, address),
          line: line.nonzero?, column: column.nonzero?,
          causes: causes.take_while(&:itself).to_a,
          host_code: Native.value(:tinyci_error_host_code, address))
    end

    # Returns the error for an object that is already closed.
    def self.closed(what)
      new("this #{what} was closed", code: :invalid_arg)
    end
  end

  # The exception with which a callback says no. The step fails with the message, unless a script
  # catches it. Any other exception is a fault of the program: no script catches it, the commit gets
  # no verdict, and it is raised after the end of the run.
  class Refusal < StandardError
    # A number of your choice, which the record shows after the message; 0 for none.
    attr_reader :code

    def initialize(message = "refused", code: 0)
      super(message)
      raise RangeError, "the code #{code} does not fit into 32 bits" unless code.bit_length < 32

      @code = code
    end
  end
end
