# frozen_string_literal: true

require_relative "lib/tinyci/version"

Gem::Specification.new do |spec|
  spec.name = "tinyci"
  spec.version = TinyCI::VERSION
  spec.summary = "An embeddable CI system: no daemon, results stored in the git repository"
  spec.description = "Runs the build, tests and hooks of pushed commits inside a Ruby program, " \
                     "keeps verdicts in git notes, and deploys what is green. The successor of TinyCI 0.5."
  spec.authors = ["The tinyci authors"]
  spec.licenses = %w[MIT Apache-2.0]
  spec.required_ruby_version = ">= 3.1"
  spec.metadata["rubygems_mfa_required"] = "true"

  # package.sh puts the shared library there; such a gem is for one platform. Without it, the library
  # is looked for where the system has it.
  libraries = Dir.chdir(__dir__) { Dir["lib/tinyci/libtinyci.*"] }
  spec.platform = Gem::Platform.local unless libraries.empty?
  spec.files = Dir.chdir(__dir__) { Dir["lib/**/*.rb", "README.md", "LICENSE*"] } + libraries
end
