# frozen_string_literal: true

require "json"
require_relative "native"

module TinyCI
  # What became of a commit, of a step or of a run, as a Symbol.
  module Outcome
    # :success, :failure, :timed_out, :skipped, :error or :canceled; of a deployment also
    # :waiting, :running, :interrupted or :retired; :unknown for what the library does not know, nil for 0.
    # Only :success is green.
    def self.of(number)
      (Native.value(:tinyci_outcome_name, number) || :unknown).to_sym unless number.zero?
    end

    # The number for a name, 0 for nil.
    def self.number(name) = name.nil? ? 0 : Native.number(:OUTCOME, name)
  end

  # What remains of one attempt at one commit.
  class Record
    # A phase or hook that ran, or was left out. `exit_code` is 128 and the signal's number where a
    # signal ended the command, and -1 where no command ended by itself.
    Step = Struct.new(:name, :outcome, :exit_code, :error)

    # The commit's full id.
    attr_reader :commit
    # The branch that it was judged for, or nil; U+FFFD stands for what is not UTF-8.
    attr_reader :branch
    # The same as git holds it, in any encoding.
    attr_reader :branch_bytes
    # See Outcome. To tell green from everything else use `passed?`.
    attr_reader :outcome
    # Why, where the steps do not say it; or nil.
    attr_reader :reason
    # When the attempt began, and how many seconds it took.
    attr_reader :started_at, :duration
    # The steps that ran, in that order.
    attr_reader :steps
    # All of it, as the line of JSON that `refs/notes/runs/tinyci` keeps.
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

    # Whether the commit is green: the one test for it.
    def passed? = @passed

    # The JSON, parsed.
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
