# frozen_string_literal: true

# Writes lib/tinyci/header.rb, so that no number and no signature of the C header is copied by hand:
#
#   ruby bindings/ruby/generate.rb
#
# A test compares the file with what this gives.

require "json"

# The C header as Ruby.
module Generate
  ROOT = File.expand_path("../..", __dir__)
  TARGET = File.join(__dir__, "lib/tinyci/header.rb")

  # What a parameter or a result is, by its C type. Other pointers are handles.
  TYPES = {
    "void" => :void, "tinyci_code" => :status, "int32_t" => :int32, "int64_t" => :int64,
    "uint32_t" => :uint32, "uint64_t" => :uint64, "size_t" => :size, "double" => :double,
    "const char *" => :text, "const uint8_t *" => :bytes, "const tinyci_engine *" => :engine,
    "tinyci_error **" => :error
  }.freeze
  PROTOTYPE = /\A(?<result>.*?)(?<name>tinyci_\w+)\((?<parameters>.*)\);\z/

  class << self
    def header
      "# frozen_string_literal: true\n\n" \
        "# Written by generate.rb from include/tinyci.json and bindings/prototypes.h.\n\n" \
        "module TinyCI\n  # What the C header declares.\n  module Header\n" \
        "#{constants.join}\n    # Of each function what it returns, and then what it takes.\n" \
        "    FUNCTIONS = {\n#{functions.join(",\n")}\n    }.freeze\n  end\nend\n"
    end

    private

    def constants
      data = JSON.parse(File.read(File.join(ROOT, "include/tinyci.json")))
      data.fetch("constants").map do |constant|
        name = constant.fetch("name").delete_prefix("TINYCI_")
        "    #{name} = #{constant.fetch("value").inspect}\n"
      end
    end

    def functions
      File.readlines(File.join(ROOT, "bindings/prototypes.h"), chomp: true).filter_map do |line|
        next if line.start_with?("typedef", "/*")

        prototype = PROTOTYPE.match(line) or raise "not a prototype: #{line}"
        kinds = [kind(prototype[:result])] + parameters(prototype[:parameters])
        "      #{prototype[:name]}: %i[#{kinds.join(" ")}]"
      end
    end

    def parameters(text)
      return [] if text == "void"

      text.split(", ").map { |parameter| kind(parameter[/\A.*?(?=\w+\z)/]) }
    end

    def kind(type)
      type = type.strip
      TYPES.fetch(type) do
        if type.end_with?("**", "size_t *") then :out
        elsif type.end_with?("*") then :handle
        else raise "unknown type: #{type}"
        end
      end
    end
  end
end

File.write(Generate::TARGET, Generate.header) if $PROGRAM_NAME == __FILE__
