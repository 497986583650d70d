# frozen_string_literal: true

require "json"
require_relative "run"

module TinyCI
  # A deployment under way. It has no records.
  class DeployRun < Run
    # What became of it, once it is over: its line of `tinyci deployments --json`, parsed. Nil before.
    attr_reader :deployment
    # :success where the commit is deployed, :waiting where nothing was done because a person has to
    # approve first, and so on: see Outcome. Nil before the end.
    attr_reader :outcome

    # Whether the commit is deployed: the one test for it.
    def passed? = outcome == :success

    private

    def read_end(run)
      @deployment = JSON.parse(Native.text(:tinyci_run_deployment_json, run))
      @outcome = Outcome.of(Native.value(:tinyci_run_deploy_outcome, run))
    end
  end
end
