# frozen_string_literal: true

require_relative "header"

module TinyCI
  # The gem's, which is that of the header it was written from.
  VERSION = Header::VERSION
end
