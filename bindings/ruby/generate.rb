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

  # What a value is, by its C type. Other pointers are handles.
  TYPES = {
    "void" => :void, "int32_t" => :int32, "int64_t" => :int64, "uint32_t" => :uint32,
    "uint64_t" => :uint64, "size_t" => :size, "double" => :double, "const char *" => :text,
    "const uint8_t *" => :bytes, "const tinyci_engine *" => :engine
  }.freeze

  class << self
    def header
      "# frozen_string_literal: true\n\n" \
        "# Written by generate.rb from include/tinyci.json.\n\n" \
        "module TinyCI\n  # What the C header declares.\n  module Header\n" \
        "#{constants.join}\n    # The names of numbers, by the groups that they are chosen from.\n" \
        "    NAMES = {\n#{names.join(",\n")}\n    }.freeze\n\n" \
        "    # Of each function what it returns, and then what it takes.\n" \
        "    FUNCTIONS = {\n#{functions.join(",\n")}\n    }.freeze\n  end\nend\n"
    end

    private

    def data = @data ||= JSON.parse(File.read(File.join(ROOT, "include/tinyci.json")))

    def constants
      data.fetch("constants").map do |constant|
        name = constant.fetch("name").delete_prefix("TINYCI_")
        "    #{name} = #{constant.fetch("value").inspect}\n"
      end
    end

    def names
      data.fetch("groups").select { |group| group["kind"] == "choice" }.map do |group|
        members = data.fetch("constants").select { |it| it["group"] == group["name"] }
        named = members.map do |it|
          "        #{it["value"]} => :#{it["name"].delete_prefix(group["prefix"]).downcase}"
        end
        "      #{group["name"].upcase}: {\n#{named.join(",\n")}\n      }.freeze"
      end
    end

    def functions
      data.fetch("functions").map do |function|
        kinds = [value(function["returns"]["type"])] + function["parameters"].map { |it| kind(it) }
        "      #{function["name"]}: %i[#{kinds.join(" ")}]"
      end
    end

    def kind(parameter)
      return value(parameter["type"]) unless parameter["direction"] == "out"

      parameter["free"] == "tinyci_error_free" ? :error : :out
    end

    def value(type)
      number = data.fetch("types").find { |it| it["name"] == type }
      return :status if number && number["group"] == "code"

      TYPES.fetch(type) do
        type.end_with?(" *") ? :handle : raise("unknown type: #{type}")
      end
    end
  end
end

File.write(Generate::TARGET, Generate.header) if $PROGRAM_NAME == __FILE__
