# frozen_string_literal: true

require_relative "handlers"
require_relative "native"

module TinyCI
  # The keywords of TinyCI.open as the library's options.
  module Options
    class << self
      # Passes the block the options' address, with the callbacks registered.
      def with(handlers, refs: [], jobs: nil, job_timeout: nil, builds_dir: nil, log_limit: nil,
               settings: {}, env: {}, vars: {}, by: nil)
        Native.with_new(:options) do |options|
          Array(refs).each { |glob| set(:add_ref, options, Native.utf8(glob)) }
          set(:set_jobs, options, Native.unsigned(jobs, 32)) if jobs
          set(:set_job_timeout_ms, options, Native.milliseconds(job_timeout)) if job_timeout
          set(:set_builds_dir, options, Native.utf8(builds_dir)) if builds_dir
          set(:set_log_limit, options, Native.unsigned(log_limit, 64)) if log_limit
          settings.each do |key, values|
            Array(values).each { |value| pair(:set_setting, options, key, value) }
          end
          env.each { |name, value| pair(:set_env, options, name, value) }
          vars.each { |name, value| pair(:set_var, options, name, value) }
          pair(:set_by, options, *by) if by
          handlers.register(options)
          yield options
        end
      end

      private

      def set(setter, options, *values) = Native.call(:"tinyci_options_#{setter}", options, *values)

      def pair(setter, options, name, value)
        set(setter, options, Native.utf8(name), Native.utf8(value))
      end
    end
  end
end
