# frozen_string_literal: true

require "json"
require_relative "record"

module TinyCI
  # One thing that happened in a run, or that the run asked for. It can be kept.
  class Event
    KINDS = Native.names(:EVENT).freeze
    # From this number on an event is a request.
    FIRST_REQUEST = 32
    private_constant :FIRST_REQUEST

    # What happened, as a Symbol: :output, :step_finished and so on; :unknown for what a later
    # version may add.
    attr_reader :kind
    # Its number, known or not.
    attr_reader :number
    # Its place among the events of its run, from 1.
    attr_reader :sequence
    # When it happened.
    attr_reader :time
    # The commit's full id, the attempt at it, the phase or hook, and the branch of a script's
    # `parallel` or its group; each nil where there is none.
    attr_reader :commit, :job, :step, :label
    # The bytes of an output, or the message of a warning or waiting, in binary; else nil.
    attr_reader :data
    # :stdout or :stderr of an output; else nil.
    attr_reader :stream
    # See Outcome; nil where the kind has none.
    attr_reader :outcome
    # The Record of a :job_finished; else nil.
    attr_reader :record
    # What the log has for it, as lines that end with a newline; nil where there are none.
    attr_reader :log_lines

    # Copies the event at an address.
    def initialize(address)
      @number = Native.value(:tinyci_event_kind, address)
      @kind = KINDS.fetch(@number, :unknown)
      @sequence = Native.value(:tinyci_event_sequence, address)
      @time = Time.at(0, Native.value(:tinyci_event_time_ms, address), :millisecond)
      @commit, @job, @step, @label, @log_lines =
        %w[commit job step label log_lines].map { |part| Native.value(:"tinyci_event_#{part}", address) }
      @data = Native.bytes(:tinyci_event_data, address)
      @stream = STREAMS[Native.value(:tinyci_event_stream, address)]
      @outcome = Outcome.of(Native.value(:tinyci_event_outcome, address))
      record = Native.value(:tinyci_event_record, address)
      @record = Record.new(record) unless record.zero?
      # That of an output would copy it once more, and says nothing that does not stand here.
      @json = Native.value(:tinyci_event_json, address) unless output?
      freeze
    end

    STREAMS = Native.names(:STREAM).freeze
    private_constant :STREAMS

    KINDS.each_value do |kind|
      define_method(:"#{kind}?") { @kind == kind }
    end

    # Whether the run waits for an answer.
    def request? = number >= FIRST_REQUEST

    # The data as text, with U+FFFD for what is not UTF-8.
    def text = data && data.dup.force_encoding(Encoding::UTF_8).scrub

    # All of it, as the JSON of `tinyci run --json` has it. Nil for an output.
    def to_h = @json && JSON.parse(@json)

    def inspect = "#<#{self.class} #{sequence} #{kind}#{" #{step}" if step}>"
  end
end
