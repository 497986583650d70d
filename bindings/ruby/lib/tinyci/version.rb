# frozen_string_literal: true

require_relative "header"

module TinyCI
  # The version of the gem, which is that of the header it was generated from.
  VERSION = Header::VERSION
end
