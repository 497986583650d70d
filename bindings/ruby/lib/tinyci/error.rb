# frozen_string_literal: true

module TinyCI
  # tinyci could not do what it was asked to do. A build that fails is none: it is an outcome.
  class Error < StandardError
    # What kind of error it is: :not_found, :busy, :config and so on, as the C header lists them
    # (:unknown for one that a later version has).
    attr_reader :status
    # The file or repository that it met, or nil.
    attr_reader :file
    # The place in that file, from 1, or nil.
    attr_reader :line, :column
    # What lies behind it, the nearest first. The message ends with them.
    attr_reader :causes
    # The number that the host gave when it failed a request; 0 where there is none.
    attr_reader :host_code

    def initialize(message, status:, file: nil, line: nil, column: nil, causes: [], host_code: 0)
      super(message)
      @status = status
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
          status: name ? name.to_sym : :unknown,
          file: Native.value(:tinyci_error_file, address),
          line: line.nonzero?, column: column.nonzero?,
          causes: causes.take_while(&:itself).to_a,
          host_code: Native.value(:tinyci_error_host_code, address))
    end

    # Something was used after it was closed.
    def self.closed(what)
      new("this #{what} was closed", status: :invalid_arg)
    end
  end

  # Raised by a host's own code: it refuses what it was asked for. The step fails with the message,
  # unless a script catches it. Any other error is a mistake of the host's: no script catches it, the
  # commit gets no verdict, and it is raised again when the run is over.
  class Refused < StandardError
    # A number of the host's own, which stands in the record behind the message; 0 for none.
    attr_reader :code

    def initialize(message = "refused", code: 0)
      super(message)
      raise RangeError, "the code #{code} does not fit into 32 bits" unless code.bit_length < 32

      @code = code
    end
  end
end
