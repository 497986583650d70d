# frozen_string_literal: true

require_relative "lib/tinyci/version"

Gem::Specification.new do |spec|
  spec.name = "tinyci"
  spec.version = TinyCI::VERSION
  spec.summary = "A CI system that you can embed: no daemon, all state in the git repository"
  spec.description = "Tests pushed commits inside a Ruby program, stores verdicts in git notes, " \
                     "and deploys green commits. The successor of TinyCI 0.5."
  spec.authors = ["The tinyci authors"]
  spec.licenses = %w[MIT Apache-2.0]
  spec.required_ruby_version = ">= 3.1"
  spec.metadata["rubygems_mfa_required"] = "true"

  # package.sh puts the shared library there; that gem is for one platform. Without it, the library must
  # be installed in the system.
  libraries = Dir.chdir(__dir__) { Dir["lib/tinyci/libtinyci.*"] }
  spec.platform = Gem::Platform.local unless libraries.empty?
  spec.files = Dir.chdir(__dir__) { Dir["lib/**/*.rb", "README.md", "LICENSE*"] } + libraries
end
