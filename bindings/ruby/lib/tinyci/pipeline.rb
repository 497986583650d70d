# frozen_string_literal: true

require_relative "handle"

module TinyCI
  # The steps of one config, in the order of a run.
  class Pipeline
    # The names of its steps.
    attr_reader :steps

    # Owns the pipeline at an address.
    def initialize(address)
      @handle = Handle.new("pipeline", address, :tinyci_pipeline_free)
      @steps = Array.new(Native.value(:tinyci_pipeline_step_count, address)) do |index|
        Native.value(:tinyci_pipeline_step_name, address, index)
      end.freeze
    end

    # Converts a YAML pipeline to an equivalent script, as `tinyci convert` does.
    def to_rhai = @handle.use { |address| Native.text(:tinyci_pipeline_to_rhai, address) }

    # The address, for a selection.
    def address = @handle.address

    def inspect = "#<#{self.class} #{steps.join(" ")}>"
  end
end
