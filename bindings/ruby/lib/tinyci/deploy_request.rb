# frozen_string_literal: true

require "json"
require_relative "native"

module TinyCI
  # The keywords of Engine#deploy and Engine#deploy_plan:
  #
  # revision::  the commit; default: the newest green one
  # rollback::  deploy what was deployed before the current deployment
  # force::     deploy even a commit that is not green
  # bare::      deploy the commit's files at once, without a build
  # by::        the name and address of the person who deploys
  # assume::    the output that a plan assumes of commands, by globs over the commands
  # plan::      carry out this plan exactly; it replaces all keywords but `by`
  module DeployRequest
    # Passes the block the request's address.
    def self.with(revision: nil, rollback: false, force: false, bare: false, by: nil, plan: nil,
                  assume: {})
      Native.with_new(:deploy_request) do |address|
        set = lambda do |name, *values|
          Native.call(:"tinyci_deploy_request_set_#{name}", address, *values)
        end
        set.call(:revision, Native.utf8(revision)) if revision
        set.call(:rollback, 1) if rollback
        set.call(:force, 1) if force
        set.call(:bare, 1) if bare
        set.call(:by, *by.map { |part| Native.utf8(part) }) if by
        set.call(:plan, JSON.generate(plan)) if plan
        assume.each do |words|
          words = words.map { |word| Native.utf8(word) }
          Native.call(:tinyci_deploy_request_add_assumption, address, *words)
        end
        yield address
      end
    end
  end
end
