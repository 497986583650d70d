# frozen_string_literal: true

require "fiddle"
require "rbconfig"
require_relative "header"

module TinyCI
  # The shared library: where it is looked for, and which one will do.
  module Library
    NAME = if RbConfig::CONFIG["host_os"].include?("darwin")
             "libtinyci.#{Header::ABI}.dylib"
           else
             "libtinyci.so.#{Header::ABI}"
           end
    BUNDLED = File.join(__dir__, NAME)

    class << self
      # Where it came from: a path, or a name that the system's loader knows.
      attr_reader :path

      # Opens `TINYCI_LIBRARY` if that is set, else the one in the gem, else the system's.
      #
      # Raises LoadError if there is none, or one of another ABI or an older version.
      def open
        @path = ENV["TINYCI_LIBRARY"] || (File.exist?(BUNDLED) ? BUNDLED : NAME)
        handle = Fiddle::Handle.new(@path)
        check(handle)
        handle
      rescue Fiddle::DLError => error
        raise LoadError, "cannot load the tinyci library: #{error.message}\nIt is looked for where " \
                         "TINYCI_LIBRARY says, else at #{BUNDLED}, else as #{NAME} where the " \
                         "system looks. `sh bindings/build-library.sh PREFIX` builds it.", cause: nil
      end

      private

      def check(handle)
        abi = number(handle, "tinyci_abi")
        version = number(handle, "tinyci_version_number")
        if abi != Header::ABI
          raise LoadError, "#{@path} has the ABI #{abi}, but this gem needs #{Header::ABI}: " \
                           "install the gem and the library of one version"
        elsif version < Header::VERSION_NUMBER
          raise LoadError, "#{@path} is older (#{version}) than this gem needs " \
                           "(#{Header::VERSION_NUMBER}): install a newer library"
        end
      end

      def number(handle, function)
        Fiddle::Function.new(handle[function], [], -Fiddle::TYPE_INT32_T).call
      end
    end
  end
end
