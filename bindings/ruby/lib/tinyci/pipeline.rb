# frozen_string_literal: true

require_relative "handle"

module TinyCI
  # What one config says: phases and hooks, in the order of a run.
  class Pipeline
    # The names of its phases and hooks.
    attr_reader :steps

    # Owns the pipeline at an address.
    def initialize(address)
      @handle = Handle.new("pipeline", address, :tinyci_pipeline_free)
      @steps = Array.new(Native.value(:tinyci_pipeline_step_count, address)) do |index|
        Native.value(:tinyci_pipeline_step_name, address, index)
      end.freeze
    end

    # A script that does the same, of a pipeline in YAML: what `tinyci convert` prints.
    def to_rhai = @handle.use { |address| Native.text(:tinyci_pipeline_to_rhai, address) }

    # For the selection that it is given to.
    def address = @handle.address

    def inspect = "#<#{self.class} #{steps.join(" ")}>"
  end
end
