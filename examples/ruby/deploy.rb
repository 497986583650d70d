#!/usr/bin/env ruby
# frozen_string_literal: true

# Deploys the newest green commit of a repository to a directory on this machine. Shows the changes,
# asks, and switches a link.
#
#   ruby deploy.rb [--yes] [--branch NAME] REPOSITORY TARGET
#
#   TARGET/releases/<commit>   the deployed files of a commit; the newest five are kept
#   TARGET/current             a link to the live release, which is always complete
#
# Exit codes: 0 if the commit is live, 1 if you declined or no commit is green, 2 for wrong arguments,
# 4 if tinyci could not work. (`deploy` in a config does more: tinyci records the deployment, and you
# can approve it and roll it back.)

require "fileutils"
require "optparse"
require "tinyci"

KEEP = 5

# A directory with releases.
class Target
  def initialize(dir)
    @current = File.join(dir, "current")
    @releases = File.join(dir, "releases")
  end

  # The commit that is live, or nil.
  def live = File.symlink?(@current) ? File.basename(File.readlink(@current)) : nil

  def deploy(engine, commit)
    release = File.join(@releases, commit)
    unless File.exist?(release)
      # Rename it only when it is complete.
      incomplete = "#{release}.incomplete"
      FileUtils.rm_rf(incomplete)
      FileUtils.mkdir_p(@releases)
      engine.export(commit, incomplete)
      File.rename(incomplete, release)
    end
    FileUtils.touch(release)
    File.symlink("releases/#{commit}", "#{@current}.new")
    File.rename("#{@current}.new", @current)
    clean
  end

  private

  def clean
    releases = Dir[File.join(@releases, "*")].sort_by { |release| File.mtime(release) }.reverse
    FileUtils.rm_rf(releases.drop(KEEP))
  end
end

def git(repository, *arguments)
  IO.popen(["git", "-C", repository, *arguments], &:read)
end

def show(repository, live, record)
  since = record.started_at + record.duration
  puts "#{record.commit[0, 10]} of #{record.branch} has been green since #{since}"
  range = live ? "#{live}..#{record.commit}" : record.commit
  puts git(repository, "log", "--oneline", "--no-decorate", "--max-count=20", range)
end

def agreed?
  abort "not a terminal: use --yes to deploy without confirmation" unless $stdin.tty?

  print "Deploy? [y/N] "
  $stdin.gets.to_s.strip.casecmp?("y")
end

def newest_green(engine, branch)
  engine.records(outcome: :success).find { |record| branch.nil? || record.branch == branch }
end

def main
  yes = branch = nil
  parser = OptionParser.new("usage: deploy.rb [--yes] [--branch NAME] REPOSITORY TARGET")
  parser.on("--yes", "do not ask") { yes = true }
  parser.on("--branch NAME", "only commits of this branch") { |name| branch = name }
  arguments = parser.parse(ARGV)
  raise OptionParser::MissingArgument, "REPOSITORY and TARGET" unless arguments.size == 2

  repository, target = arguments[0], Target.new(arguments[1])
  TinyCI.open(repository) do |engine|
    record = newest_green(engine, branch) or abort "no commit is green yet"
    return puts("#{record.commit[0, 10]} is already live") if record.commit == target.live

    show(repository, target.live, record)
    abort "nothing was deployed" unless yes || agreed?
    target.deploy(engine, record.commit)
    puts "#{record.commit[0, 10]} is live"
  end
rescue OptionParser::ParseError => error
  warn "deploy.rb: #{error.message}", parser
  exit 2
rescue TinyCI::Error, SystemCallError => error
  warn "deploy.rb: #{error.message}"
  exit 4
end

main if $PROGRAM_NAME == __FILE__
