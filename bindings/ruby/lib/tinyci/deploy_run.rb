# frozen_string_literal: true

require "json"
require_relative "run"

module TinyCI
  # An active deployment. It has no records.
  class DeployRun < Run
    # The record of the deployment after its end: its line of `tinyci deployments --json`, parsed.
    # Nil before the end.
    attr_reader :deployment
    # :success if the commit is deployed, :awaiting_approval if a person must approve first, and so
    # on: see Outcome. Nil before the end.
    attr_reader :outcome

    # Returns true if the commit is deployed. Use only this method to decide that.
    def passed? = outcome == :success

    private

    def read_end(run)
      @deployment = JSON.parse(Native.text(:tinyci_run_deployment_json, run))
      @outcome = Outcome.of(Native.value(:tinyci_run_deploy_outcome, run))
    end
  end
end
