# frozen_string_literal: true

require "json"
require_relative "native"

module TinyCI
  # How a step, a job, a run or a deployment ended, as a Symbol.
  module Outcome
    # :success, :failure, :timed_out, :skipped, :error or :canceled; for deployments also
    # :awaiting_approval, :running, :interrupted or :retired; :unknown for one that the library does
    # not know, nil for 0. Only :success is green.
    def self.of(number)
      (Native.value(:tinyci_outcome_name, number) || :unknown).to_sym unless number.zero?
    end

    # Returns the number of a name, 0 for nil.
    def self.number(name) = name.nil? ? 0 : Native.number(:OUTCOME, name)
  end

  # The record of one job.
  class Record
    # The record of one step. `exit_code` is that of the last command, 128 plus the number of the
    # signal that ended it, or -1 if no command ended.
    Step = Struct.new(:name, :outcome, :exit_code, :error)

    # The full id of the commit.
    attr_reader :commit
    # The branch that the commit was tested for, or nil; U+FFFD replaces bytes that are not UTF-8.
    attr_reader :branch
    # The branch in git's own bytes.
    attr_reader :branch_bytes
    # See Outcome. To find out whether the commit is green, use `passed?`.
    attr_reader :outcome
    # Why, if the steps do not say so; else nil.
    attr_reader :reason
    # When the job began, and how long it took in seconds.
    attr_reader :started_at, :duration
    # The steps that ran or were skipped, in order.
    attr_reader :steps
    # The complete record, as the line of JSON in `refs/notes/runs/tinyci`.
    attr_reader :json

    # Copies the record at an address.
    def initialize(address)
      @commit, @branch, @reason, @json =
        %w[commit branch reason json].map { |part| Native.value(:"tinyci_record_#{part}", address) }
      @branch_bytes = Native.bytes(:tinyci_record_branch_bytes, address)
      @outcome = Outcome.of(Native.value(:tinyci_record_outcome, address))
      @passed = Native.value(:tinyci_record_passed, address) == 1
      @started_at = Time.at(0, Native.value(:tinyci_record_started_ms, address), :millisecond)
      @duration = Native.value(:tinyci_record_duration_ms, address) / 1000.0
      @steps = read_steps(address).freeze
      freeze
    end

    # Returns true if the commit is green. Use only this method to decide that.
    def passed? = @passed

    # Returns the parsed JSON.
    def to_h = JSON.parse(json)

    def inspect = "#<#{self.class} #{commit[0, 10]} #{outcome}>"

    private

    def read_steps(address)
      Array.new(Native.value(:tinyci_record_step_count, address)) do |index|
        name, outcome, exit_code, error = %w[name outcome exit_code error].map do |part|
          Native.value(:"tinyci_record_step_#{part}", address, index)
        end
        Step.new(name, Outcome.of(outcome), exit_code, error).freeze
      end
    end
  end
end
