# frozen_string_literal: true

require "fileutils"
require "minitest/autorun"
require "open3"
require "pathname"
require "rbconfig"
require "timeout"
require "tmpdir"
require "tinyci"

# Real repositories, and real Ruby programs in processes of their own.
module Support
  # How long something may take that happens at once on an idle machine.
  PATIENCE = 60
  LIBRARY = File.expand_path("../lib", __dir__)
  GIT = { "GIT_CONFIG_GLOBAL" => "/dev/null", "GIT_CONFIG_SYSTEM" => "/dev/null",
          "GIT_AUTHOR_NAME" => "Ada", "GIT_AUTHOR_EMAIL" => "ada@example.org",
          "GIT_COMMITTER_NAME" => "Ada", "GIT_COMMITTER_EMAIL" => "ada@example.org" }.freeze

  def setup
    @dir = Dir.mktmpdir("tinyci-ruby")
    @repository = File.join(@dir, "app")
    git("init", "--quiet", "--initial-branch=main", @repository, in: @dir)
  end

  def teardown
    FileUtils.rm_rf(@dir)
  end

  def git(*arguments, in: @repository)
    output, status = Open3.capture2e(GIT, "git", *arguments, chdir: binding.local_variable_get(:in))
    raise "git #{arguments.join(" ")}: #{output}" unless status.success?

    output.chomp
  end

  # Commits a config, and other files, and returns the commit's id.
  def commit(config, file = ".tinyci.yml", **files)
    files.merge(file => config).each { |name, text| File.write(File.join(@repository, name.to_s), text) }
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", "Change #{file}")
    git("rev-parse", "HEAD")
  end

  def open_engine(**options, &block) = TinyCI.open(@repository, **options, &block)

  # The verdicts in the notes: none for a run that was cut off.
  def verdicts
    git("notes", "--ref", "tinyci-result", "list").lines
  rescue RuntimeError
    []
  end

  def eventually(what)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + PATIENCE
    loop do
      result = yield
      return result if result

      flunk("#{what} did not happen") if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
      Thread.pass
      IO.select(nil, nil, nil, 0.01)
    end
  end

  def alive?(pid)
    # One that is dead and not waited for is a zombie until its new parent looks.
    !File.read("/proc/#{pid}/stat").match?(/\) [ZX] /)
  rescue Errno::ENOENT, Errno::ESRCH
    false
  end

  # A config whose build says its pid and then keeps silent for ever.
  def silent_build
    %(build: "echo $$ > #{@dir}/pid.new && mv #{@dir}/pid.new #{@dir}/pid && exec sleep 1000"\n)
  end

  def build_pid
    eventually("the build") { File.exist?("#{@dir}/pid") }
    Integer(File.read("#{@dir}/pid"))
  end

  # Starts a Ruby program, in a process group of its own, that has the repository as its argument.
  def program(text)
    path = File.join(@dir, "program.rb")
    File.write(path, "require 'tinyci'\n#{text}")
    log = File.join(@dir, "program.log")
    pid = Process.spawn(RbConfig.ruby, "-I", LIBRARY, path, @repository,
                        out: log, err: %i[child out], in: File::NULL, pgroup: true)
    [pid, log]
  end

  # Waits for a program's end, and returns its status.
  def status_of(pid)
    Timeout.timeout(PATIENCE) { Process.wait2(pid).last }
  end
end
