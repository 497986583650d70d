# frozen_string_literal: true

require "fiddle"
require "rbconfig"
require_relative "header"

module TinyCI
  # Loads the shared library and checks its version.
  module Library
    NAME = if RbConfig::CONFIG["host_os"].include?("darwin")
             "libtinyci.#{Header::ABI}.dylib"
           else
             "libtinyci.so.#{Header::ABI}"
           end
    BUNDLED = File.join(__dir__, NAME)

    class << self
      # The library's path, or its name if the system's loader found it.
      attr_reader :path

      # Opens `TINYCI_LIBRARY` if that is set, else the one in the gem, else the system's.
      #
      # Raises LoadError if there is none, or one with another ABI or an older version.
      def open
        @path = ENV["TINYCI_LIBRARY"] || (File.exist?(BUNDLED) ? BUNDLED : NAME)
        handle = Fiddle::Handle.new(@path)
        check(handle)
        handle
      rescue Fiddle::DLError => error
        message = "cannot load the tinyci library: #{error.message}\n" \
                  "Set TINYCI_LIBRARY to its path, or put it at #{BUNDLED}, or install #{NAME} " \
                  "in the system. `sh bindings/build-library.sh PREFIX` builds it."
        raise LoadError, message, cause: nil
      end

      private

      def check(handle)
        abi = number(handle, "tinyci_abi")
        version = number(handle, "tinyci_version_number")
        if abi != Header::ABI
          raise LoadError, "#{@path} has ABI #{abi}, but this gem needs ABI #{Header::ABI}: " \
                           "install the same version of the gem and the library"
        elsif version < Header::VERSION_NUMBER
          raise LoadError, "#{@path} has version number #{version}, but this gem needs " \
                           "#{Header::VERSION_NUMBER} or newer: install a newer library"
        end
      end

      def number(handle, function)
        Fiddle::Function.new(handle[function], [], -Fiddle::TYPE_INT32_T).call
      end
    end
  end
end
