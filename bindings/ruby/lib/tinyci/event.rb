# frozen_string_literal: true

require "json"
require_relative "record"

module TinyCI
  # One thing that happened in a run, or a request. It is a copy, which you can keep.
  class Event
    KINDS = Native.names(:EVENT).freeze
    STREAMS = Native.names(:STREAM).freeze
    # The smallest number that is a request.
    FIRST_REQUEST = 32
    private_constant :STREAMS, :FIRST_REQUEST

    # The kind as a Symbol: :output, :step_finished and so on; :unknown for one of a later version.
    attr_reader :kind
    # The number of the kind.
    attr_reader :number
    # The number of the event among the events of its run, from 1.
    attr_reader :sequence
    # The time of the event.
    attr_reader :time
    # The full id of the commit, the id of the job, the step, and the task of a script's `parallel`
    # or the group; each nil if there is none.
    attr_reader :commit, :job_id, :step, :label
    # The bytes of an output, or the message of a warning or waiting, in binary; else nil.
    attr_reader :data
    # :stdout or :stderr of an output; else nil.
    attr_reader :stream
    # See Outcome; nil if the kind has none.
    attr_reader :outcome
    # The Record of a :job_finished; else nil.
    attr_reader :record
    # The event's lines in the log, each with a newline; nil if there are none.
    attr_reader :log_lines

    # Copies the event at an address.
    def initialize(address)
      @number = Native.value(:tinyci_event_kind, address)
      @kind = KINDS.fetch(@number, :unknown)
      @sequence = Native.value(:tinyci_event_sequence, address)
      @time = Time.at(0, Native.value(:tinyci_event_time_ms, address), :millisecond)
      @commit, @job_id, @step, @label, @log_lines =
        %w[commit job_id step label log_lines].map do |part|
          Native.value(:"tinyci_event_#{part}", address)
        end
      @data = Native.bytes(:tinyci_event_data, address)
      @stream = STREAMS[Native.value(:tinyci_event_stream, address)]
      @outcome = Outcome.of(Native.value(:tinyci_event_outcome, address))
      record = Native.value(:tinyci_event_record, address)
      @record = Record.new(record) unless record.zero?
      # The JSON of an output would only copy the bytes again.
      @json = Native.value(:tinyci_event_json, address) unless output?
      freeze
    end

    KINDS.each_value do |kind|
      define_method(:"#{kind}?") { @kind == kind }
    end

    # Returns true if the run waits for an answer.
    def request? = number >= FIRST_REQUEST

    # Returns the data as a UTF-8 string, with U+FFFD for invalid bytes.
    def text = data && data.dup.force_encoding(Encoding::UTF_8).scrub

    # Returns the parsed JSON of `tinyci run --json`; nil for an output.
    def to_h = @json && JSON.parse(@json)

    def inspect = "#<#{self.class} #{sequence} #{kind}#{" #{step}" if step}>"
  end
end
