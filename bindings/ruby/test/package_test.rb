# frozen_string_literal: true

require_relative "../generate"
require_relative "support"

class PackageTest < Minitest::Test
  include Support

  ROOT = File.expand_path("../../..", __dir__)
  BINDING = File.join(ROOT, "bindings/ruby")

  def output_of(env, *command)
    output, status = Open3.capture2e(env, *command)
    assert status.success?, "#{command.join(" ")}: #{output}"
    output
  end

  # What a Ruby says when it is to load a library.
  def loading(library)
    output, status = Open3.capture2e({ "TINYCI_LIBRARY" => library }, RbConfig.ruby, "-I", LIBRARY,
                                     "-e", "require 'tinyci'; puts TinyCI.library_path")
    [status.success?, output]
  end

  def test_the_header_is_up_to_date
    assert_equal Generate.header, File.read(Generate::TARGET),
                 "run `ruby bindings/ruby/generate.rb`"
    assert_equal TinyCI::VERSION, File.read("#{ROOT}/Cargo.toml")[/^version = "(.*)"$/, 1]
  end

  def test_a_library_that_will_not_do_is_refused
    ["/nowhere/libtinyci.so", __FILE__].each do |path|
      loaded, output = loading(path)
      refute loaded
      assert_includes output, "cannot load the tinyci library"
      assert_includes output, "LoadError"
    end
  end

  # A library that says what another version would.
  def other_library(abi, version)
    source = "#{@dir}/other.c"
    File.write(source, <<~C)
      #include <stdint.h>
      uint32_t tinyci_abi(void) { return #{abi}; }
      uint32_t tinyci_version_number(void) { return #{version}; }
    C
    output_of({}, "cc", "-shared", "-fPIC", "-o", "#{@dir}/other.so", source)
    "#{@dir}/other.so"
  end

  def test_another_abi_and_an_older_version_are_refused_and_nothing_else
    header = TinyCI::Header
    loaded, output = loading(other_library(header::ABI + 1, header::VERSION_NUMBER))
    assert_equal [false, true], [loaded, output.include?("has ABI #{header::ABI + 1}")], output
    loaded, output = loading(other_library(header::ABI, header::VERSION_NUMBER - 1))
    assert_equal [false, true], [loaded, output.include?("or newer: install a newer library")], output
    # A newer one would have the functions too.
    _, output = loading(other_library(header::ABI, header::VERSION_NUMBER + 1))
    assert_includes output, "tinyci_version"
  end

  # Installed by `gem`, without TINYCI_LIBRARY, it finds the library that it brought, and runs the
  # program of the README.
  def test_the_gem_works_where_nothing_else_is_installed
    prefix = File.dirname(TinyCI.library_path, 2)
    output_of({}, "sh", "#{BINDING}/package.sh", prefix, "#{@dir}/gems")
    gem = Dir["#{@dir}/gems/tinyci-*.gem"].fetch(0)
    assert_equal "tinyci-#{TinyCI::VERSION}-#{Gem::Platform.local}.gem", File.basename(gem)
    env = { "GEM_HOME" => "#{@dir}/home", "GEM_PATH" => "#{@dir}/home", "TINYCI_LIBRARY" => nil,
            "RUBYLIB" => nil }
    output_of(env, "gem", "install", "--local", "--no-document", gem)
    id = commit("build: echo release <%= release %>\n")
    program = "#{@dir}/readme.rb"
    File.write(program, File.read("#{BINDING}/README.md")[/^```ruby\n(.*?)^```/m, 1])
    assert_equal "release 42\n#{id} success\n#{id}\n",
                 output_of(env, RbConfig.ruby, program, @repository)
    path = output_of(env, RbConfig.ruby, "-e", "require 'tinyci'; puts TinyCI.library_path")
    assert path.start_with?("#{@dir}/home/gems/tinyci-"), path
  end
end
