# frozen_string_literal: true

require "pty"
require_relative "support"

# examples/ruby/deploy.rb, as a person runs it.
class ExampleTest < Minitest::Test
  include Support

  SCRIPT = File.expand_path("../../../examples/ruby/deploy.rb", __dir__)

  def deploy(*arguments)
    command = [RbConfig.ruby, "-w", "-I", LIBRARY, SCRIPT, *arguments, @repository, "#{@dir}/live"]
    output, status = Open3.capture2e(*command, stdin_data: "")
    [status.exitstatus, output]
  end

  # On a terminal, with this answer.
  def deploy_answering(answer)
    status = nil
    command = [RbConfig.ruby, "-I", LIBRARY, SCRIPT, @repository, "#{@dir}/live"]
    PTY.spawn(*command) do |reader, writer, pid|
      output = +""
      output << reader.readpartial(1024) until output.include?("[y/N]")
      writer.puts(answer)
      status = status_of(pid)
    end
    status.exitstatus
  end

  def green(config)
    id = commit(config)
    open_engine { |engine| engine.run(id) { nil } }
    id
  end

  def live = File.read("#{@dir}/live/current/.tinyci.yml")

  def test_it_deploys_what_is_green
    assert_equal [1, "no commit is green yet\n"], deploy("--yes")
    first = green("build: exit 0\n")
    status, output = deploy
    assert_equal [1, true], [status, output.include?("--yes")], "nobody can be asked"
    assert_equal 1, deploy_answering("n")
    refute File.exist?("#{@dir}/live/current")
    assert_equal 0, deploy_answering("y")
    assert_equal "build: exit 0\n", live
    assert_equal [0, "#{first[0, 10]} is already live\n"], deploy

    green("build: exit 1\n")
    assert_equal 0, deploy.first, "a red commit is passed over"
    7.times do |number|
      green("build: exit 0 # #{number}\n")
      assert_equal 0, deploy("--yes").first
    end
    assert_equal "build: exit 0 # 6\n", live
    assert_equal 5, Dir["#{@dir}/live/releases/*"].size
  end

  def test_mistakes_are_told
    assert_equal [1, "no commit is green yet\n"], deploy("--branch", "other")
    assert_equal 2, deploy("--nonsense").first
    FileUtils.rm_rf("#{@repository}/.git")
    status, output = deploy
    assert_equal [4, true], [status, output.start_with?("deploy.rb: ")], output
  end
end
