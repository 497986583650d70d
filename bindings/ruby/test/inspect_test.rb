# frozen_string_literal: true

require_relative "support"

# What a program asks of a repository beside its runs.
class InspectTest < Minitest::Test
  include Support

  SCRIPT = <<~RHAI
    fn build(ctx) { sh(["echo", capture("uname -s")]); }
    fn deploy(ctx) { sh(["echo", "on", capture("date")]); }
  RHAI
  TESTS = <<~RHAI
    fn test_right(t) { t.fake("uname*", "v1"); t.expect(t.run().ok); }
    fn test_wrong(t) { throw "wrong"; }
  RHAI

  def test_a_repository_is_discovered_and_tells_of_itself
    commit("build: make\n")
    git("config", "tinyci.jobz", "2")
    git("remote", "add", "origin", "/srv/git/app.git")
    below = FileUtils.mkdir_p(File.join(@repository, "below")).first
    assert_equal :not_a_repo, assert_raises(TinyCI::Error) { TinyCI.open(below) }.code
    TinyCI.discover(below, jobs: 2) do |engine|
      assert_equal File.realpath(@repository), engine.path
      refute_predicate engine, :bare?
      assert_match(/tinyci\.jobz/, engine.warnings.fetch(0))
      assert_equal "/srv/git/app.git", engine.remote_url
      assert_equal :not_found, assert_raises(TinyCI::Error) { engine.remote_url("x") }.code
    end
  end

  def test_commits_are_found_by_revisions
    first = commit("build: make\n")
    second = commit("build: make all\n")
    open_engine do |engine|
      assert_equal first, engine.resolve("HEAD~1")
      assert_equal [second, first], engine.commits("HEAD", "HEAD~1").map(&:id)
      found = engine.commit("HEAD")
      assert_equal [first], found.parents
      assert_match(/\A.+ <.+>\z/, found.author)
      assert_equal found.author.b, found.author_bytes
      assert_equal found.message.b, found.message_bytes
      assert found.message.start_with?(found.subject)
      assert_equal found.time.to_i, JSON.parse(found.json)["time"]
      assert_equal :not_found, assert_raises(TinyCI::Error) { engine.resolve("nowhere") }.code
    end
  end

  def test_logs_are_read
    commit("build: echo built\n")
    open_engine do |engine|
      error = assert_raises(TinyCI::Error) { engine.log("HEAD").to_a }
      assert_equal :not_found, error.code
      run = engine.run { nil }
      assert_equal ["success"], run.summary["records"].map { |record| record["outcome"] }
      whole = engine.log("HEAD").map(&:data)
      assert_includes whole.join, "built\n"
      assert_equal whole.last(1), engine.log("HEAD", lines: 1).map(&:data)
      assert_equal whole, engine.log("HEAD", follow: true).map(&:data)
      token = TinyCI::CancelToken.new
      seen = engine.log(lines: 1, follow: true, cancel: token).map { token.cancel }
      assert_equal 1, seen.size
    end
  end

  def test_scripts_are_converted_checked_and_tested
    commit("build: make\n")
    functions = { today: -> { "Monday" } }
    open_engine(functions: functions) do |engine|
      assert_match(/make/, engine.pipeline("HEAD").to_rhai)
      assert_match(/today\(/, engine.definitions)
      refute_match(/today\(/, TinyCI.definitions)
      assert_equal Hash, JSON.parse(engine.definitions(:json)).class
      git("rm", "--quiet", ".tinyci.yml")
      commit(SCRIPT, ".tinyci.rhai", ".tinyci.test.rhai": TESTS, "lib.rhai": "fn make() { }\n")
      report = engine.test_pipeline("HEAD", coverage: true)
      assert_equal [false, 2], [report["passed"], report["tests"].size]
      assert report["coverage"]
      [nil, @repository].each do |dir|
        report = engine.test_pipeline(dir: dir, filters: "right")
        assert_equal [true, 1], [report["passed"], report["filtered_out"]], report.to_s
      end
      text = "import \"lib\" as lib;\nfn build(ctx) { lib::make(); }\n"
      valid = %w[HEAD HEAD~1].map { |it| engine.check_text(text, format: :rhai, revision: it)["valid"] }
      assert_equal [true, false], valid
    end
  end

  def test_plans_assume_output_and_what_is_deployed_is_known
    commit(SCRIPT, ".tinyci.rhai")
    git("notes", "--ref", "runs/tinyci", "add", "-m", "damaged", "HEAD")
    open_engine do |engine|
      assert_equal ["damaged"], engine.unrecognized_lines("HEAD")
      assert_match(/echo v7/, engine.plan("HEAD", assume: { "uname*" => "v7", "*" => "v8" }).to_s)
      engine.run { nil }
      assert_match(/on Monday/, engine.deploy_plan(assume: { "date" => "Monday" }).to_s)
      assert_nil engine.deployed
      engine.deploy { nil }
      assert_equal "success", engine.deployed("production")["outcome"]
    end
  end
end
