# frozen_string_literal: true

require "json"
require_relative "native"

module TinyCI
  # What is to be deployed, as Engine#deploy and Engine#deploy_plan take it: `revision` (without it
  # the newest commit that is green), `rollback`, `force`, `bare` (the files alone), `by` (name and
  # address), `assume` (the output that a plan assumes of commands, by globs), or a `plan`, which stands for all of them but `by`.
  module DeployRequest
    # Gives the block the request's address.
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
