# frozen_string_literal: true

require "set"
require_relative "support"

# Loaded by a run of all tests: every function of the header must be called in it, or be listed here
# with a reason.
module EveryFunction
  LEFT_OUT = {
    tinyci_abi: "asked before the others are bound",
    tinyci_version_number: "asked before the others are bound",
    tinyci_rollback_start: "tinyci_deploy_request_set_rollback does the same and more",
    tinyci_request_arg_string: "tinyci_request_arg_json has NUL too"
  }.freeze
  CALLED = Set.new

  TinyCI::Native.const_get(:FUNCTIONS).each do |name, function|
    function.define_singleton_method(:call) do |*arguments|
      CALLED << name
      super(*arguments)
    end
  end

  Minitest.after_run do
    # Some are freed by Ruby's collector only.
    GC.start
    missing = TinyCI::Header::FUNCTIONS.keys - CALLED.to_a - LEFT_OUT.keys
    abort "called by no test: #{missing.join(", ")}" unless missing.empty?
  end
end
