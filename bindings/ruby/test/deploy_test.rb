# frozen_string_literal: true

require_relative "support"

class DeployTest < Minitest::Test
  include Support

  CONFIG = "build: exit 0\ndeploy: echo deploying <%= short %>\n"

  def green(config = CONFIG)
    id = commit(config)
    open_engine { |engine| engine.run(id) { nil } }
    id
  end

  def test_a_deployment_is_planned_done_and_taken_back
    first = green
    output = []
    open_engine do |engine|
      plan = engine.deploy_plan
      assert_equal first, plan.dig("commit", "id")
      run = engine.deploy(plan: plan, by: ["Ada", "ada@example.org"]) do |event|
        output << event.text if event.output?
        assert_equal "running", event.to_h.dig("deployment", "outcome") if event.deploy_started?
      end
      assert_equal ["deploying #{first[0, 7]}"], output.map { |text| text[0, 17] }
      assert run.passed?
      assert_equal [:success, "success", first, "Ada <ada@example.org>"],
                   [run.outcome, *run.deployment.values_at("outcome", "commit", "deployed_by")]
      assert_empty run.records
      second = green("#{CONFIG}test: exit 0\n")
      run = engine.deploy("production", revision: second) { nil }
      assert_equal second, run.deployment["commit"]
      assert_equal first, engine.rollback { nil }.deployment["commit"]
      assert_equal [first, second, first], engine.deployments.map { |deployment| deployment["commit"] }
      newest = engine.deployments("production", limit: 1) { |line| flunk line }
      assert_equal [first], newest.map { |deployment| deployment["commit"] }
      assert_kind_of Hash, engine.status
    end
  end

  def test_what_is_not_green_is_refused_unless_forced
    red = commit("build: exit 1\ndeploy: echo deploying\n")
    open_engine do |engine|
      engine.run(red) { nil }
      run = engine.deploy(revision: red)
      assert_equal :invalid_arg, assert_raises(TinyCI::Error) { run.each { nil } }.code
      assert_nil run.deployment
      assert engine.deploy(revision: red, force: true) { nil }.deployment["forced"]
      assert engine.deploy(revision: red, force: true, bare: true) { nil }.deployment["bare"]
      assert_raises(ArgumentError) { engine.deploy(revison: red) }
    end
  end

  def test_approvals_are_answered_by_the_host
    id = green("build: exit 0\ndeploy: {run: echo live, approve: true}\n")
    open_engine { |engine| assert_equal :awaiting_approval, engine.deploy { nil }.outcome }
    asked = []
    answers = [nil, "Ada <ada@example.org>", true]
    approvals = lambda do |approval|
      asked << [approval.environment, approval.question, approval.commit]
      answers.shift
    end
    open_engine(approvals: approvals) do |engine|
      assert_equal :awaiting_approval, engine.deploy { nil }.outcome
      run = engine.deploy { nil }
      assert_equal [true, "Ada <ada@example.org>"], [run.passed?, run.deployment["approved_by"]]
      assert engine.deploy(revision: id) { nil }.passed?
      assert_equal [["production", nil, id]] * 3, asked
    end
  end

  def test_approvals_in_the_repository
    id = green("build: exit 0\ndeploy: {run: echo live, approve: true}\n")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.org")
    open_engine(by: ["Joan", "joan@example.org"], settings: { approvers: "grace" }) do |engine|
      joans = engine.approve(id)
      assert_equal "Joan <joan@example.org>", joans["approved_by"]
      assert_match(/does not list/, joans["problem"])
      git("update-ref", "-d", joans["reference"])
    end
    open_engine do |engine|
      assert_match %r{\Arefs/tinyci/approvals/production/}, engine.approve(id)["reference"]
      assert engine.deploy { nil }.passed?
    end
  end

  def test_an_exception_of_an_approval_comes_out_and_nothing_is_deployed
    green("build: exit 0\ndeploy: {run: echo live, approve: true}\n")
    open_engine(approvals: ->(_) { raise KeyError }) do |engine|
      error = assert_raises(KeyError) { engine.deploy { nil } }
      assert_equal :host_fault, error.cause.code
      refute engine.deployments.any? { |deployment| deployment["outcome"] == "success" }
    end
  end

  def test_a_deployment_that_was_left_has_to_be_unlocked_or_is_canceled
    green("build: exit 0\ndeploy: 'echo $$; exec sleep 1000'\n")
    open_engine do |engine|
      pid = engine.deploy { |event| break Integer(event.text) if event.output? }
      refute alive?(pid)
      refute engine.deployments.any? { |deployment| deployment["outcome"] == "success" }
      refute engine.unlock_deployments("looked at it")
    end
  end

  def test_an_environment_is_retired_once
    green
    open_engine do |engine|
      assert_equal :not_found, assert_raises(TinyCI::Error) { engine.retire }.code
      engine.deploy { nil }
      assert engine.retire("production")
      refute engine.retire
      assert_equal %w[retired success], engine.deployments.map { |deployment| deployment["outcome"] }
    end
  end

  def test_looking_after_a_server
    3.times { |number| green("#{CONFIG}# #{number}\n") }
    open_engine do |engine|
      assert_includes engine.settings.to_s, "pruneKeep"
      assert_kind_of Hash, engine.prune(keep: 1, dry_run: true)
      assert_equal 3, Dir["#{@repository}/builds/*_*"].size
      engine.prune(keep: 1, max_age: 86_400, max_bytes: 1 << 30)
      assert_equal 1, Dir["#{@repository}/builds/*_*"].size
    end
  end

  def test_a_clone_brings_results
    id = green
    clone = File.join(@dir, "clone")
    git("clone", "--quiet", @repository, clone, dir: @dir)
    TinyCI.open(clone) do |engine|
      assert_equal :not_found, assert_raises(TinyCI::Error) { engine.merge_results }.code
      refute_empty engine.setup_remote("origin")
      git("fetch", "--quiet", dir: clone)
      assert engine.merge_results
      refute engine.merge_results
      assert_equal [id], engine.records(outcome: :success).map(&:commit)
      refute_empty engine.undo_setup_remote
    end
  end
end
