// tinyci for C++17: tinyci.h with owners, exceptions, ranges and values. Nothing is compiled or
// linked besides the C library, and nothing is kept outside of the objects.
//
// A call that fails throws tinyci::error. A red build is no error but an outcome, of which only
// outcome::success is green. Owners can be moved and not copied, and be destroyed in any order. The
// functions that a host gives to options are called by the thread that pulls the events, inside its
// loop: runs on several threads call them at once. Threads: a const member function may be called by
// any number at once, any other, and those of events, by one at a time.

#ifndef TINYCI_HPP
#define TINYCI_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <locale>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <tinyci.h>

namespace tinyci {

// ---- The numbers of the header. Each may hold one that a later library knows. ----

/// Whether tinyci could do what it was asked to do. Every negative one is an error.
enum class status : std::int32_t {
    ok = TINYCI_OK,
    done = TINYCI_DONE,
    again = TINYCI_AGAIN,
    invalid_arg = TINYCI_INVALID_ARG,
    not_found = TINYCI_NOT_FOUND,
    not_a_repo = TINYCI_NOT_A_REPO,
    config = TINYCI_CONFIG,
    script = TINYCI_SCRIPT,
    interpolate = TINYCI_INTERPOLATE,
    git = TINYCI_GIT,
    io = TINYCI_IO,
    spawn = TINYCI_SPAWN,
    child_lost = TINYCI_CHILD_LOST,
    canceled = TINYCI_CANCELED,
    host_abort = TINYCI_HOST_ABORT,
    host_fault = TINYCI_HOST_FAULT,
    busy = TINYCI_BUSY,
    unsupported = TINYCI_UNSUPPORTED,
    wrong_process = TINYCI_WRONG_PROCESS,
    panic = TINYCI_PANIC,
    newer_format = TINYCI_NEWER_FORMAT,
};

/// What became of a step, a commit or a run. Read one that you do not know as not passed.
enum class outcome : std::int32_t {
    none = 0,
    success = TINYCI_OUTCOME_SUCCESS,
    failure = TINYCI_OUTCOME_FAILURE,
    timed_out = TINYCI_OUTCOME_TIMED_OUT,
    skipped = TINYCI_OUTCOME_SKIPPED,
    error = TINYCI_OUTCOME_ERROR,
    canceled = TINYCI_OUTCOME_CANCELED,
    waiting = TINYCI_OUTCOME_AWAITING_APPROVAL,          ///< Of a deployment: a person has to approve first.
    running = TINYCI_OUTCOME_RUNNING,          ///< Of a deployment: it is under way.
    interrupted = TINYCI_OUTCOME_INTERRUPTED,  ///< Of a deployment: nobody saw it end.
    retired = TINYCI_OUTCOME_RETIRED,          ///< Of an environment: nothing runs there any more.
};

/// What an event tells. From `hook` on it is a request. Pass over those that you do not know.
enum class event_kind : std::int32_t {
    planned = TINYCI_EVENT_PLANNED,
    job_started = TINYCI_EVENT_JOB_STARTED,
    exported = TINYCI_EVENT_EXPORTED,
    step_started = TINYCI_EVENT_STEP_STARTED,
    output = TINYCI_EVENT_OUTPUT,
    step_finished = TINYCI_EVENT_STEP_FINISHED,
    job_finished = TINYCI_EVENT_JOB_FINISHED,
    finished = TINYCI_EVENT_FINISHED,
    warning = TINYCI_EVENT_WARNING,
    waiting = TINYCI_EVENT_WAITING,
    deploy_started = TINYCI_EVENT_DEPLOY_STARTED,
    deploy_finished = TINYCI_EVENT_DEPLOY_FINISHED,
    hook = TINYCI_EVENT_HOOK,
    function = TINYCI_EVENT_FUNCTION,
    secret = TINYCI_EVENT_SECRET,
    approval = TINYCI_EVENT_APPROVAL,
    command = TINYCI_EVENT_COMMAND,
};

/// Which of its streams a command wrote to.
enum class stream : std::int32_t {
    none = 0,
    standard_output = TINYCI_STREAM_STDOUT,
    standard_error = TINYCI_STREAM_STDERR,
};

/// What calling a host's function does to the world: a plan calls only the first two.
enum class effect : std::int32_t {
    pure = TINYCI_EFFECT_PURE,
    control = TINYCI_EFFECT_CONTROL,
    external = TINYCI_EFFECT_EXTERNAL,
};

/// How a pipeline is written.
enum class format : std::int32_t {
    yaml = TINYCI_FORMAT_YAML,
    rhai = TINYCI_FORMAT_RHAI,
};

/// A form of the script API's reference.
enum class definitions_format : std::int32_t {
    json = TINYCI_DEFINITIONS_JSON,          ///< One line, for programs.
    markdown = TINYCI_DEFINITIONS_MARKDOWN,  ///< A page, for people.
    rhai = TINYCI_DEFINITIONS_RHAI,          ///< A file for the language server of Rhai.
};

/// For engine::log: continue with lines as they are written.
inline constexpr std::uint32_t log_follow = TINYCI_LOG_FOLLOW;
/// For engine::test_pipeline: find out which lines no test runs.
inline constexpr std::uint32_t test_coverage = TINYCI_TEST_COVERAGE;
/// For engine::results: every attempt of a commit, not only the one that its verdict rests on.
inline constexpr std::uint32_t results_all_attempts = TINYCI_RESULTS_ALL_ATTEMPTS;
/// For engine::install: have pushes to the refs that hold verdicts refused.
inline constexpr std::uint32_t artifacts_force = TINYCI_ARTIFACTS_FORCE;
inline constexpr std::uint32_t steps_keep = TINYCI_STEPS_KEEP;
inline constexpr std::uint32_t install_hide_refs = TINYCI_INSTALL_HIDE_REFS;
/// For engine::install: even into a folder that other repositories use too.
inline constexpr std::uint32_t install_shared_hooks = TINYCI_INSTALL_SHARED_HOOKS;
/// For engine::install: take the builds in `tinyci.buildsDir` over from a repository that is gone.
inline constexpr std::uint32_t install_adopt_builds = TINYCI_INSTALL_ADOPT_BUILDS;
/// For engine::prune: remove nothing, and tell what would go.
inline constexpr std::uint32_t prune_dry_run = TINYCI_PRUNE_DRY_RUN;
/// For engine::cancel: kill at once, without a grace period and without `after_all`.
inline constexpr std::uint32_t job_cancel_kill = TINYCI_JOB_CANCEL_KILL;
/// As a timeout: for as long as it takes.
inline constexpr std::chrono::milliseconds forever{-1};

/// The name in small letters, such as `not_found`; `unknown` for a later library's.
inline std::string_view to_string(status number) {
    const char *name = tinyci_code_name(static_cast<std::int32_t>(number));
    return name == nullptr ? "unknown" : name;
}

/// The name in small letters, such as `timed_out`; `unknown` for a later library's.
inline std::string_view to_string(outcome number) {
    const char *name = tinyci_outcome_name(static_cast<std::int32_t>(number));
    return name == nullptr ? "unknown" : name;
}

inline std::ostream &operator<<(std::ostream &out, status number) {
    return out << to_string(number);
}

inline std::ostream &operator<<(std::ostream &out, outcome number) {
    return out << to_string(number);
}

/// The library's version, such as `0.1.0`.
inline std::string_view version() { return tinyci_version(); }
/// The library's version as a number that rises with it: 1.2.3 is 1002003.
inline std::uint32_t version_number() { return tinyci_version_number(); }
/// The version of the library's ABI.
inline std::uint32_t abi() { return tinyci_abi(); }
/// Whether the library was built with a feature, such as `rhai`.
inline bool has_feature(const std::string &name) { return tinyci_has_feature(name.c_str()) != 0; }

namespace detail {

/// Frees each type of object with its own function.
struct release {
    void operator()(char *it) const noexcept { tinyci_string_free(it); }
    void operator()(tinyci_cancel *it) const noexcept { tinyci_cancel_free(it); }
    void operator()(tinyci_commits *it) const noexcept { tinyci_commits_free(it); }
    void operator()(tinyci_deploy_request *it) const noexcept { tinyci_deploy_request_free(it); }
    void operator()(tinyci_engine *it) const noexcept { tinyci_engine_free(it); }
    void operator()(tinyci_error *it) const noexcept { tinyci_error_free(it); }
    void operator()(tinyci_options *it) const noexcept { tinyci_options_free(it); }
    void operator()(tinyci_pipeline *it) const noexcept { tinyci_pipeline_free(it); }
    void operator()(tinyci_records *it) const noexcept { tinyci_records_free(it); }
    void operator()(tinyci_request *it) const noexcept { tinyci_request_free(it); }
    void operator()(tinyci_run *it) const noexcept { tinyci_run_free(it); }
    void operator()(tinyci_selection *it) const noexcept { tinyci_selection_free(it); }
    void operator()(tinyci_vars *it) const noexcept { tinyci_vars_free(it); }
};

template <class Object>
using handle = std::unique_ptr<Object, release>;

/// What a `*_new` gave, which gives NULL only where memory is short.
template <class Object>
handle<Object> made(Object *object) {
    if (object == nullptr) throw std::bad_alloc();
    return handle<Object>(object);
}

/// A text that may be missing; empty then.
inline std::string_view view(const char *text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

inline std::string_view view(const std::uint8_t *bytes, std::size_t length) {
    return {reinterpret_cast<const char *>(bytes), length};
}

inline const std::uint8_t *bytes(std::string_view text) {
    return reinterpret_cast<const std::uint8_t *>(text.data());
}

}  // namespace detail

// ---- Errors. ----

/// Why tinyci could not do what it was asked to do. what() tells the whole of it to a person.
class error : public std::runtime_error {
public:
    /// An error of the program's own, or of this header.
    error(tinyci::status number, const std::string &message)
        : std::runtime_error(message), details_(std::make_shared<details>()) {
        details_->number = number;
    }

    /// What a call of the C library gave, and stored in its `err`.
    error(tinyci_code number, const detail::handle<tinyci_error> &from)
        : error(static_cast<tinyci::status>(number), message_of(number, from.get())) {
        if (from == nullptr) return;
        details_->file = std::string(detail::view(tinyci_error_file(from.get())));
        details_->line = tinyci_error_line(from.get());
        details_->column = tinyci_error_column(from.get());
        details_->host_code = tinyci_error_host_code(from.get());
        for (std::size_t depth = 0;; depth++) {
            const char *cause = tinyci_error_cause(from.get(), depth);
            if (cause == nullptr) break;
            details_->causes.emplace_back(cause);
        }
    }

    /// What kind of error it is.
    tinyci::status status() const noexcept { return details_->number; }
    /// The file or repository that it met; empty where there is none.
    const std::filesystem::path &file() const noexcept { return details_->file; }
    /// The line in that file, from 1; 0 where there is none.
    std::uint32_t line() const noexcept { return details_->line; }
    /// The column in that line, in characters from 1; 0 where there is none.
    std::uint32_t column() const noexcept { return details_->column; }
    /// The code of the refusal that it comes from; 0 where there is none.
    std::int32_t host_code() const noexcept { return details_->host_code; }
    /// The causes, the nearest first. what() ends with them.
    const std::vector<std::string> &causes() const noexcept { return details_->causes; }

private:
    struct details {
        tinyci::status number{};
        std::filesystem::path file;
        std::uint32_t line = 0;
        std::uint32_t column = 0;
        std::int32_t host_code = 0;
        std::vector<std::string> causes;
    };

    static std::string message_of(tinyci_code number, const tinyci_error *from) {
        const char *message = tinyci_error_message(from);
        if (message != nullptr) return message;
        return std::string(to_string(static_cast<tinyci::status>(number)));
    }

    // Shared, since copying an exception must not throw.
    std::shared_ptr<details> details_;
};

/// A host's no, thrown by one of its functions: the request is failed with this message and code,
/// which the record keeps. It is an answer: unlike any other exception it is not thrown out of the
/// loop again, and a script can catch it.
class refusal : public std::runtime_error {
public:
    explicit refusal(const std::string &message, std::int32_t code = 0)
        : std::runtime_error(message), code_(code) {}
    std::int32_t code() const noexcept { return code_; }

private:
    std::int32_t code_;
};

namespace detail {

/// A text for C, which would take it to end at its first NUL.
inline const char *text(const std::string &it) {
    if (it.find('\0') != std::string::npos) {
        throw error(status::invalid_arg, "`" + it + "` holds a NUL");
    }
    return it.c_str();
}

inline const char *text(const std::filesystem::path &it) { return text(it.native()); }

/// The same, where an empty text stands for none.
inline const char *optional_text(const std::string &it) { return it.empty() ? nullptr : text(it); }

/// One a line.
inline std::string lines(const std::vector<std::string> &all) {
    std::string text;
    for (const std::string &one : all) text += one + "\n";
    return text;
}

/// Calls a function whose last parameter is `err`, which is left out here.
template <class Function, class... Arguments>
status call(Function *function, Arguments... arguments) {
    tinyci_error *err = nullptr;
    const tinyci_code number = function(arguments..., &err);
    const handle<tinyci_error> owned(err);
    if (number < 0) throw error(number, owned);
    return static_cast<status>(number);
}

/// Calls a function whose last parameters are `out` and `err`, and gives what it stores.
template <class Object, class Function, class... Arguments>
handle<Object> make(Function *function, Arguments... arguments) {
    Object *out = nullptr;
    call(function, arguments..., &out);
    return handle<Object>(out);
}

/// The same for a text.
template <class Function, class... Arguments>
std::string make_text(Function *function, Arguments... arguments) {
    const handle<char> out = make<char>(function, arguments...);
    return std::string(view(out.get()));
}

}  // namespace detail

// ---- Values, as scripts and JSON have them. ----

/// Nothing, a truth value, a number, a text, an array or a map: what functions take and give, and
/// what reports are made of.
class value {
public:
    using array = std::vector<value>;
    using map = std::map<std::string, value, std::less<>>;
    using variant =
        std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, array, map>;

    value(std::nullptr_t = nullptr) : data_(nullptr) {}
    value(double number) : data_(number) {}
    value(const char *text) : data_(std::string(text)) {}
    value(std::string_view text) : data_(std::string(text)) {}
    value(std::string text) : data_(std::move(text)) {}
    value(array items) : data_(std::move(items)) {}
    value(map members) : data_(std::move(members)) {}
    /// A bool, or a whole number; std::out_of_range for one above 2^63 - 1.
    template <class Number, std::enable_if_t<std::is_integral_v<Number>, int> = 0>
    value(Number number) {
        if constexpr (std::is_same_v<Number, bool>) {
            data_ = number;
        } else if constexpr (std::is_unsigned_v<Number>) {
            if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
                throw std::out_of_range("a number above 2^63 - 1");
            }
            data_ = static_cast<std::int64_t>(number);
        } else {
            data_ = static_cast<std::int64_t>(number);
        }
    }

    /// For std::visit.
    const variant &data() const noexcept { return data_; }
    bool is_null() const noexcept { return is<std::nullptr_t>(); }
    /// Whether it holds this one of the types of `variant`.
    template <class Type>
    bool is() const noexcept {
        return std::holds_alternative<Type>(data_);
    }
    /// What it holds; std::bad_variant_access if that is of another type.
    template <class Type>
    const Type &as() const {
        return std::get<Type>(data_);
    }
    /// A number of either kind; std::bad_variant_access for everything else.
    double number() const {
        return is<std::int64_t>() ? static_cast<double>(as<std::int64_t>()) : as<double>();
    }
    /// An array's item; std::out_of_range where there is none.
    const value &at(std::size_t index) const { return as<array>().at(index); }
    /// A map's member; std::out_of_range where there is none.
    const value &at(std::string_view key) const {
        const value *found = find(key);
        if (found == nullptr) throw std::out_of_range("no member `" + std::string(key) + "`");
        return *found;
    }
    /// A map's member, or nullptr where there is none.
    const value *find(std::string_view key) const {
        const map &members = as<map>();
        const auto found = members.find(key);
        return found == members.end() ? nullptr : &found->second;
    }

    friend bool operator==(const value &left, const value &right) {
        return left.data_ == right.data_;
    }
    friend bool operator!=(const value &left, const value &right) { return !(left == right); }

    /// Reads JSON; throws error with status::invalid_arg for what is none.
    static value parse(std::string_view json);
    /// Writes JSON on one line; throws error with status::invalid_arg for a number that JSON has
    /// no way to write.
    std::string to_json() const;

private:
    variant data_;
};

namespace detail {

/// Reads one document of JSON.
class json_reader {
public:
    explicit json_reader(std::string_view text) : text_(text) {}

    value document() {
        value read = item(0);
        space();
        if (at_ != text_.size()) fail("the end");
        return read;
    }

private:
    // As deep as the library writes and reads itself.
    static constexpr int depth_max = 128;

    [[noreturn]] void fail(const std::string &wanted) const {
        throw error(status::invalid_arg,
                    "not JSON: " + wanted + " is missing at byte " + std::to_string(at_));
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) < 4) at_++;
    }

    bool take(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    void need(std::string_view word) {
        if (!take(word)) fail("`" + std::string(word) + "`");
    }

    value item(int depth) {
        if (depth > depth_max) fail("an end of the nesting");
        space();
        if (take("null")) return nullptr;
        if (take("true")) return true;
        if (take("false")) return false;
        switch (peek()) {
        case '"': return string();
        case '[': return array(depth);
        case '{': return map(depth);
        default: return number();
        }
    }

    value array(int depth) {
        value::array items;
        need("[");
        space();
        if (take("]")) return items;
        do {
            items.push_back(item(depth + 1));
            space();
        } while (take(","));
        need("]");
        return items;
    }

    value map(int depth) {
        value::map members;
        need("{");
        space();
        if (take("}")) return members;
        do {
            space();
            std::string key = string();
            space();
            need(":");
            members.insert_or_assign(std::move(key), item(depth + 1));
            space();
        } while (take(","));
        need("}");
        return members;
    }

    std::size_t digits() {
        const std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9') at_++;
        if (at_ == start) fail("a value");
        return at_ - start;
    }

    value number() {
        const std::size_t start = at_;
        take("-");
        const bool zero = peek() == '0';
        if (digits() > 1 && zero) fail("a number without a leading zero");
        bool whole = true;
        if (take(".")) {
            digits();
            whole = false;
        }
        if (take("e") || take("E")) {
            if (!take("+")) take("-");
            digits();
            whole = false;
        }
        // Streams, unlike strtod, can be told to forget the host's locale.
        std::istringstream digits_of{std::string(text_.substr(start, at_ - start))};
        digits_of.imbue(std::locale::classic());
        std::int64_t integer = 0;
        if (whole && digits_of >> integer) return integer;
        digits_of.clear();
        digits_of.seekg(0);
        double real = 0;
        if (!(digits_of >> real)) fail("a number that has room in a double");
        return real;
    }

    std::uint32_t hex() {
        static constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
        std::uint32_t unit = 0;
        for (int place = 0; place < 4; place++) {
            const std::size_t digit = digits.find(peek());
            if (digit == digits.npos) fail("a hexadecimal digit");
            unit = unit * 16 + static_cast<std::uint32_t>(digit % 16);
            at_++;
        }
        return unit;
    }

    static void put(std::string &out, std::uint32_t point) {
        const auto tail = [&](int shift) {
            out += static_cast<char>(0x80 | ((point >> shift) & 0x3f));
        };
        if (point < 0x80) {
            out += static_cast<char>(point);
        } else if (point < 0x800) {
            out += static_cast<char>(0xc0 | (point >> 6));
            tail(0);
        } else if (point < 0x10000) {
            out += static_cast<char>(0xe0 | (point >> 12));
            tail(6);
            tail(0);
        } else {
            out += static_cast<char>(0xf0 | (point >> 18));
            tail(12);
            tail(6);
            tail(0);
        }
    }

    void escape(std::string &out) {
        static constexpr std::string_view names = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
        if (!take("u")) {
            const std::size_t which = at_ < text_.size() ? names.find(peek()) : names.npos;
            if (which == names.npos) fail("an escape");
            out += meant[which];
            at_++;
            return;
        }
        std::uint32_t point = hex();
        if (point >= 0xd800 && point < 0xdc00) {
            need("\\u");
            const std::uint32_t low = hex();
            if (low < 0xdc00 || low >= 0xe000) fail("the second half of a surrogate");
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        } else if (point >= 0xdc00 && point < 0xe000) {
            fail("the first half of a surrogate");
        }
        put(out, point);
    }

    std::string string() {
        std::string out;
        need("\"");
        while (!take("\"")) {
            if (static_cast<unsigned char>(peek()) < 0x20) fail("the end of a text");
            if (take("\\")) {
                escape(out);
            } else {
                out += text_[at_++];
            }
        }
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// Writes one value as JSON; std::visit calls it.
struct json_writer {
    std::string &out;

    void operator()(std::nullptr_t) const { out += "null"; }
    void operator()(bool it) const { out += it ? "true" : "false"; }
    void operator()(std::int64_t it) const { out += std::to_string(it); }
    void operator()(double it) const {
        if (!std::isfinite(it)) throw error(status::invalid_arg, "JSON has no such number");
        const std::string text = shortest(it);
        out += text;
        // Else it would be read as a whole number.
        if (text.find_first_of(".e") == std::string::npos) out += ".0";
    }
    void operator()(const std::string &it) const {
        static constexpr char hex[] = "0123456789abcdef";
        out += '"';
        for (const char letter : it) {
            const auto byte = static_cast<unsigned char>(letter);
            if (byte < 0x20) {
                out += "\\u00";
                out += hex[byte / 16];
                out += hex[byte % 16];
            } else {
                if (letter == '"' || letter == '\\') out += '\\';
                out += letter;
            }
        }
        out += '"';
    }
    void operator()(const value::array &it) const {
        out += '[';
        for (std::size_t index = 0; index < it.size(); index++) {
            if (index > 0) out += ',';
            std::visit(*this, it[index].data());
        }
        out += ']';
    }
    void operator()(const value::map &it) const {
        out += '{';
        for (auto member = it.begin(); member != it.end(); ++member) {
            if (member != it.begin()) out += ',';
            (*this)(member->first);
            out += ':';
            std::visit(*this, member->second.data());
        }
        out += '}';
    }

private:
    /// The fewest digits that are read as the same number again, whatever the host's locale.
    static std::string shortest(double it) {
        for (int precision = std::numeric_limits<double>::digits10;; precision++) {
            std::ostringstream digits;
            digits.imbue(std::locale::classic());
            digits.precision(precision);
            digits << it;
            if (precision == std::numeric_limits<double>::max_digits10) return digits.str();
            std::istringstream read(digits.str());
            read.imbue(std::locale::classic());
            double again = 0;
            if (read >> again && again == it) return digits.str();
        }
    }
};

/// Reports that come as a line for each.
inline std::vector<value> json_lines(std::string_view text) {
    std::vector<value> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (end > 0) lines.push_back(value::parse(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

}  // namespace detail

inline value value::parse(std::string_view json) { return detail::json_reader(json).document(); }

inline std::string value::to_json() const {
    std::string out;
    std::visit(detail::json_writer{out}, data_);
    return out;
}

// ---- What is known of commits: plain data, which belongs to nothing. ----

/// What git knows of a commit.
struct commit {
    std::string id;             ///< In full.
    std::string tree;           ///< In full: two commits with one tree hold the same files.
    std::string branch;         ///< In UTF-8; empty where no branch holds the commit.
    std::string branch_bytes;   ///< As git holds it.
    std::string subject;        ///< In UTF-8.
    std::string subject_bytes;  ///< As git holds it.
    std::string author;         ///< `Name <address>`, in UTF-8.
    std::string author_bytes;   ///< As git holds it.
    std::string message;        ///< All of it, in UTF-8.
    std::string message_bytes;  ///< As git holds it.
    std::vector<std::string> parents;  ///< The full ids, in git's order.
    std::string json;                  ///< All of it, as one line.
    std::chrono::system_clock::time_point time;  ///< The committer's.
};

/// What remains of a phase or hook.
struct step {
    std::string name;
    tinyci::outcome outcome{};
    std::int32_t exit_code = -1;  ///< Of its last command; 128 and a signal's number; -1 for none.
    std::string error;            ///< Why, where no command says it; empty otherwise.
};

/// What remains of one attempt at one commit.
struct record {
    std::string commit;        ///< The full id.
    std::string branch;        ///< In UTF-8; empty where there is none.
    std::string branch_bytes;  ///< As git holds it.
    tinyci::outcome outcome{};
    bool passed = false;       ///< Whether the commit is green: the one test for it.
    std::string reason;        ///< Where the steps do not say it; empty otherwise.
    std::chrono::system_clock::time_point started;
    std::chrono::milliseconds duration{};
    std::vector<step> steps;   ///< In the order in which they ran.
    std::string json;          ///< All of it, as the notes keep it.
};

namespace detail {

inline commit read(const tinyci_commit *from) {
    commit to;
    std::size_t length = 0;
    to.id = view(tinyci_commit_id(from));
    to.tree = view(tinyci_commit_tree(from));
    to.branch = view(tinyci_commit_branch(from));
    const std::uint8_t *branch = tinyci_commit_branch_bytes(from, &length);
    to.branch_bytes = view(branch, length);
    to.subject = view(tinyci_commit_subject(from));
    const std::uint8_t *subject = tinyci_commit_subject_bytes(from, &length);
    to.subject_bytes = view(subject, length);
    to.author = view(tinyci_commit_author(from));
    const std::uint8_t *author = tinyci_commit_author_bytes(from, &length);
    to.author_bytes = view(author, length);
    to.message = view(tinyci_commit_message(from));
    const std::uint8_t *message = tinyci_commit_message_bytes(from, &length);
    to.message_bytes = view(message, length);
    for (std::size_t index = 0; index < tinyci_commit_parent_count(from); index++) {
        to.parents.emplace_back(view(tinyci_commit_parent(from, index)));
    }
    to.json = view(tinyci_commit_json(from));
    to.time = std::chrono::system_clock::time_point(std::chrono::seconds(tinyci_commit_time(from)));
    return to;
}

inline record read(const tinyci_record *from) {
    record to;
    std::size_t length = 0;
    to.commit = view(tinyci_record_commit(from));
    to.branch = view(tinyci_record_branch(from));
    const std::uint8_t *branch = tinyci_record_branch_bytes(from, &length);
    to.branch_bytes = view(branch, length);
    to.outcome = static_cast<outcome>(tinyci_record_outcome(from));
    to.passed = tinyci_record_passed(from) != 0;
    to.reason = view(tinyci_record_reason(from));
    to.started = std::chrono::system_clock::time_point(
        std::chrono::milliseconds(tinyci_record_started_ms(from)));
    to.duration = std::chrono::milliseconds(tinyci_record_duration_ms(from));
    to.json = view(tinyci_record_json(from));
    for (std::size_t index = 0; index < tinyci_record_step_count(from); index++) {
        step one;
        one.name = view(tinyci_record_step_name(from, index));
        one.outcome = static_cast<outcome>(tinyci_record_step_outcome(from, index));
        one.exit_code = tinyci_record_step_exit_code(from, index);
        one.error = view(tinyci_record_step_error(from, index));
        to.steps.push_back(std::move(one));
    }
    return to;
}

inline std::vector<commit> read_all(const handle<tinyci_commits> &commits) {
    std::vector<commit> all;
    const tinyci_commit *one = nullptr;
    while (call(tinyci_commits_next, commits.get(), &one) == status::ok) all.push_back(read(one));
    return all;
}

inline std::vector<record> read_all(const handle<tinyci_records> &records) {
    std::vector<record> all;
    const tinyci_record *one = nullptr;
    while (call(tinyci_records_next, records.get(), &one) == status::ok) all.push_back(read(one));
    return all;
}

}  // namespace detail

// ---- What a run asks for. ----

/// Something that a run asks its host for. It is answered once, from any thread, now or later; one
/// that is destroyed without an answer fails its step.
class request {
public:
    explicit request(tinyci_request *taken) : handle_(taken) {}

    /// Whether there is one that waits for an answer of this object's.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /// What is asked for: the hook's name, the function's, the secret's, the environment that is to
    /// be approved of, or the command's text.
    std::string_view name() const { return detail::view(tinyci_request_name(handle_.get())); }
    /// The commit in work, in full.
    std::string_view commit() const { return detail::view(tinyci_request_commit(handle_.get())); }
    /// The attempt at it that asks.
    std::string_view job() const { return detail::view(tinyci_request_job_id(handle_.get())); }
    /// The phase or hook that asks.
    std::string_view step() const { return detail::view(tinyci_request_step(handle_.get())); }
    /// The branch of a script's `parallel`, or its group, that asks; empty where there is none.
    std::string_view label() const { return detail::view(tinyci_request_label(handle_.get())); }
    /// What a script asks before it deploys, for the person who decides; empty where there is none.
    std::string_view question() const {
        return detail::view(tinyci_request_question(handle_.get()));
    }
    /// The folder that holds the commit's tree; for an approval, the one that will.
    std::filesystem::path export_dir() const {
        return detail::view(tinyci_request_export_dir(handle_.get()));
    }
    /// Whether nobody waits for the answer any more, so that long work can end early.
    bool canceled() const { return tinyci_request_canceled(handle_.get()) != 0; }

    /// How many arguments a function was called with.
    std::size_t argument_count() const { return tinyci_request_arg_count(handle_.get()); }
    /// One of them, from 0; std::out_of_range where there is none.
    value argument(std::size_t index) const {
        switch (tinyci_request_arg_kind(handle_.get(), index)) {
        case 0: throw std::out_of_range("no argument " + std::to_string(index));
        case TINYCI_VALUE_NULL: return nullptr;
        case TINYCI_VALUE_BOOL: return tinyci_request_arg_int(handle_.get(), index) != 0;
        case TINYCI_VALUE_INT: return tinyci_request_arg_int(handle_.get(), index);
        case TINYCI_VALUE_FLOAT: return tinyci_request_arg_float(handle_.get(), index);
        case TINYCI_VALUE_STRING:
        case TINYCI_VALUE_ARRAY:
        case TINYCI_VALUE_MAP:
        default: return value::parse(detail::view(tinyci_request_arg_json(handle_.get(), index)));
        }
    }
    /// All of them.
    value::array arguments() const {
        value::array all;
        for (std::size_t index = 0; index < argument_count(); index++) {
            all.push_back(argument(index));
        }
        return all;
    }
    /// What a command is: `shell` or `argv`, `cwd`, `env`, `nice`, `input`, `timeout_ms`, `output`;
    /// null for other requests. `env` is its whole environment, and nothing of the host's own goes
    /// beside it. tinyci.h says what the others mean.
    value command() const {
        const char *json = tinyci_request_command_json(handle_.get());
        return json == nullptr ? value() : value::parse(json);
    }

    /// For a hook: sets a variable that the commands from here on can use in a tag.
    void set_var(const std::string &name, const std::string &text) {
        detail::call(tinyci_request_set_var, handle_.get(), detail::text(name), detail::text(text));
    }
    /// Answers a hook: it passed; or an approval: the host approves.
    void ok() { detail::call(tinyci_request_ok, handle_.release()); }
    /// Answers a hook: it passed, and what the config has there is left out.
    void skip(const std::string &reason = "") {
        const char *why = detail::optional_text(reason);
        detail::call(tinyci_request_skip, handle_.release(), why);
    }
    /// Answers any request: the host refuses. The step fails, unless a script catches it.
    void fail(const std::string &message, std::int32_t code = 0) {
        // Not refused for a NUL: a failure that cannot be told is one all the same.
        detail::call(tinyci_request_fail, handle_.release(), message.c_str(), code);
    }
    /// Answers any request: the host itself failed. The commit gets no verdict, and is due again; no
    /// script catches it.
    void abort(const std::string &message, std::int32_t code = 0) {
        detail::call(tinyci_request_abort, handle_.release(), message.c_str(), code);
    }
    /// Answers a function.
    void give(const value &result) {
        std::visit([this](const auto &held) { give_held(held); }, result.data());
    }
    /// Answers a secret with any bytes; without, the folder of `tinyci.secretsDir` is looked into.
    void give_secret(const std::optional<std::string> &secret) {
        if (!secret) {
            detail::call(tinyci_request_return_null, handle_.release());
            return;
        }
        detail::call(tinyci_request_return_bytes, handle_.release(), detail::bytes(*secret),
                     secret->size());
    }
    /// Answers an approval with who approves, such as `Ada <ada@example.org>`; without, it waits.
    void give_approval(const std::optional<std::string> &person) {
        give(person ? value(*person) : value());
    }
    /// For a command: passes on what it writes. False if nothing was taken, since much of it still
    /// has to be pulled as events: try again when some were, by this thread or another. Throws
    /// error with status::canceled if the command is to be ended.
    [[nodiscard]] bool output(std::string_view data, stream from = stream::standard_output) {
        return detail::call(tinyci_request_command_output, handle_.get(),
                            static_cast<std::int32_t>(from), detail::bytes(data), data.size())
               == status::ok;
    }
    /// Answers a command: it has ended with this exit code, or by this signal.
    void finish(std::int32_t exit_code, std::int32_t signal = 0) {
        detail::call(tinyci_request_command_finish, handle_.release(), exit_code, signal);
    }

private:
    void give_held(std::nullptr_t) { detail::call(tinyci_request_return_null, handle_.release()); }
    void give_held(bool it) {
        detail::call(tinyci_request_return_bool, handle_.release(), std::int32_t{it});
    }
    void give_held(std::int64_t it) {
        detail::call(tinyci_request_return_int, handle_.release(), it);
    }
    void give_held(double it) { detail::call(tinyci_request_return_float, handle_.release(), it); }
    void give_held(const std::string &it) {
        if (it.find('\0') != std::string::npos) return give_json(it);
        detail::call(tinyci_request_return_string, handle_.release(), it.c_str());
    }
    void give_held(const value::array &it) { give_json(it); }
    void give_held(const value::map &it) { give_json(it); }
    void give_json(const value &it) {
        const std::string json = it.to_json();
        detail::call(tinyci_request_return_json, handle_.release(), json.c_str());
    }

    detail::handle<tinyci_request> handle_;
};

/// Passes a hook unless it answers the request, or throws: then there is no verdict.
using hook_function = std::function<void(request &)>;
/// What a script's call gives.
using script_function = std::function<value(request &)>;
/// The secret of the request's name, or nothing where the host has none.
using secret_function = std::function<std::optional<std::string>(request &)>;
/// Who approves of deploying to the environment of the request's name, or nothing: then it waits.
using approval_function = std::function<std::optional<std::string>(request &)>;
/// Runs a command; or moves the request elsewhere, to be finished while the loop goes on.
using command_function = std::function<void(request &)>;

namespace detail {

/// What the host's code answers. The rest is left to whoever takes the request from its event.
struct answers {
    std::map<std::string, std::vector<hook_function>, std::less<>> hooks;
    std::map<std::string, script_function, std::less<>> functions;
    secret_function secrets;
    approval_function approvals;
    command_function commands;

    /// Whether it is one for these functions.
    bool know(event_kind kind, std::string_view name) const {
        switch (kind) {
        case event_kind::hook: return hooks.find(name) != hooks.end();
        case event_kind::function: return functions.find(name) != functions.end();
        case event_kind::secret: return secrets != nullptr;
        case event_kind::approval: return approvals != nullptr;
        case event_kind::command: return commands != nullptr;
        default: return false;
        }
    }

    void answer_hook(request &asked) const {
        for (const hook_function &hook : hooks.find(asked.name())->second) {
            hook(asked);
            if (!asked) return;
        }
        send([&] { asked.ok(); });
    }

    void answer(event_kind kind, request &asked) const {
        if (kind == event_kind::hook) {
            answer_hook(asked);
        } else if (kind == event_kind::function) {
            const value result = functions.find(asked.name())->second(asked);
            if (asked) send([&] { asked.give(result); });
        } else if (kind == event_kind::secret) {
            const std::optional<std::string> secret = secrets(asked);
            if (asked) send([&] { asked.give_secret(secret); });
        } else if (kind == event_kind::approval) {
            const std::optional<std::string> person = approvals(asked);
            if (asked) send([&] { asked.give_approval(person); });
        } else {
            commands(asked);
        }
    }

    /// An answer that comes too late is no mistake of the host's.
    template <class Answer>
    static void send(Answer answer) {
        try {
            answer();
        } catch (const error &late) {
            if (late.status() != status::canceled) throw;
        }
    }
};

}  // namespace detail

// ---- What a host sets and selects. ----

/// How many arguments a function takes.
struct arity {
    arity(std::uint32_t exactly) : min(exactly), max(exactly) {}
    arity(std::uint32_t at_least, std::uint32_t at_most) : min(at_least), max(at_most) {}
    std::uint32_t min;
    std::uint32_t max;
};

/// What is set before an engine is opened: `git config tinyci.*` and more, for one engine.
///
/// Where a function is taken, an empty one leaves the requests to the loop, which takes them from
/// their events.
class options {
public:
    options() : handle_(detail::made(tinyci_options_new())) {}

    /// Adds a pattern of the refs whose commits are run: a full name, `*` for any letters.
    options &ref(const std::string &glob) {
        return set(tinyci_options_add_ref, detail::text(glob));
    }
    /// How many commits are worked on at once.
    options &jobs(std::uint32_t count) { return set(tinyci_options_set_jobs, count); }
    /// How long one commit may take, `after_all` not counted.
    options &timeout(std::chrono::milliseconds limit) {
        return set(tinyci_options_set_job_timeout_ms, static_cast<std::int64_t>(limit.count()));
    }
    /// Where build folders stand, below the repository's unless absolute.
    options &builds_dir(const std::filesystem::path &folder) {
        return set(tinyci_options_set_builds_dir, detail::text(folder));
    }
    /// How many bytes of one build's output its log keeps, beside the last 64 KiB.
    options &log_limit(std::uint64_t bytes) {
        return set(tinyci_options_set_log_limit, bytes);
    }
    /// What `git config tinyci.<key> <text>` would set, for this engine only.
    options &setting(const std::string &key, const std::string &text) {
        return set(tinyci_options_set_setting, detail::text(key), detail::text(text));
    }
    /// Sets a variable in the environment of every command, or takes the host's own out of it.
    options &env(const std::string &name, const std::optional<std::string> &text) {
        const char *to = text ? detail::text(*text) : nullptr;
        return set(tinyci_options_set_env, detail::text(name), to);
    }
    /// Sets a variable that every command can use in a tag.
    options &var(const std::string &name, const std::string &text) {
        return set(tinyci_options_set_var, detail::text(name), detail::text(text));
    }
    /// Who acts, as records name it. Without it, whom git's configuration names.
    options &by(const std::string &name, const std::string &address) {
        return set(tinyci_options_set_by, detail::text(name), detail::text(address));
    }

    /// Calls this at a point of every run, such as `before_build`, before the config's own hook of
    /// that name; several in the order in which they were added.
    options &hook(const std::string &point, hook_function call = nullptr) {
        set(tinyci_options_add_hook, detail::text(point));
        if (call) answers_.hooks[point].push_back(std::move(call));
        return *this;
    }
    /// Lends a function to scripts, called `name` or `module::name` there.
    options &function(const std::string &name, arity arguments, effect acts,
                      script_function call = nullptr, const std::string &doc = "") {
        set(tinyci_options_add_function, detail::text(name), arguments.min, arguments.max,
            static_cast<std::int32_t>(acts), detail::optional_text(doc));
        if (call) answers_.functions.insert_or_assign(name, std::move(call));
        return *this;
    }
    /// Answers for secrets.
    options &secrets(secret_function call = nullptr) {
        answers_.secrets = std::move(call);
        return answer_for(TINYCI_HANDLER_SECRET);
    }
    /// Answers for approvals that nobody gave in the repository.
    options &approvals(approval_function call = nullptr) {
        answers_.approvals = std::move(call);
        return answer_for(TINYCI_HANDLER_APPROVAL);
    }
    /// Runs the commands, instead of the local machine.
    options &commands(command_function call = nullptr) {
        answers_.commands = std::move(call);
        return answer_for(TINYCI_HANDLER_EXECUTOR);
    }

private:
    friend class engine;

    template <class Function, class... Arguments>
    options &set(Function *function, Arguments... arguments) {
        detail::call(function, handle_.get(), arguments...);
        return *this;
    }
    options &answer_for(std::uint32_t bit) {
        mask_ |= bit;
        return set(tinyci_options_set_handlers, mask_);
    }

    detail::handle<tinyci_options> handle_;
    detail::answers answers_;
    std::uint32_t mask_ = 0;
};

/// What one config says: phases and hooks, in the order of a run.
class pipeline {
public:
    explicit pipeline(detail::handle<tinyci_pipeline> owned) : handle_(std::move(owned)) {}

    /// Reads a text that stands in no commit; errors call it `name`. engine::parse reads scripts
    /// that import files or call the host's functions.
    static pipeline parse(std::string_view text, format written, const std::string &name) {
        return pipeline(detail::make<tinyci_pipeline>(tinyci_pipeline_parse, nullptr, text.data(),
                                                      text.size(),
                                                      static_cast<std::int32_t>(written),
                                                      detail::text(name)));
    }

    /// The names of the phases and hooks.
    std::vector<std::string> steps() const {
        std::vector<std::string> names;
        for (std::size_t index = 0; index < tinyci_pipeline_step_count(handle_.get()); index++) {
            names.emplace_back(detail::view(tinyci_pipeline_step_name(handle_.get(), index)));
        }
        return names;
    }

    /// A script that does the same, of a pipeline in YAML: what `tinyci convert` prints.
    std::string to_rhai() const {
        return detail::make_text(tinyci_pipeline_to_rhai, handle_.get());
    }

private:
    friend class selection;
    detail::handle<tinyci_pipeline> handle_;
};

/// The reference of the script API: what `tinyci defs` prints. engine::definitions has the host's
/// functions in it, too.
inline std::string definitions(definitions_format written = definitions_format::markdown) {
    return detail::make_text(tinyci_definitions, nullptr, static_cast<std::int32_t>(written));
}

/// Where a script and its tests are: in a commit, or without a revision in a directory, which is the
/// path that the engine was opened with if there is none.
struct test_source {
    std::string revision;
    std::filesystem::path directory;
};

/// Which commits to look at. One that was only made is all that is pending.
class selection {
public:
    selection() : handle_(detail::made(tinyci_selection_new())) {}

    /// Adds one commit, in any of git's revision syntax. What is named is due whatever refs say.
    selection &revision(const std::string &name) {
        return set(tinyci_selection_add_revision, detail::text(name));
    }
    /// Adds the commits of a range, such as `v1.0..main`.
    selection &range(const std::string &name) {
        return set(tinyci_selection_add_range, detail::text(name));
    }
    /// Adds a ref that was pushed; forty zeros stand for no commit.
    selection &update(const std::string &old_id, const std::string &new_id,
                      const std::string &ref_name) {
        return set(tinyci_selection_add_update, detail::text(old_id), detail::text(new_id),
                   detail::text(ref_name));
    }
    /// Adds what a `post-receive` hook reads on its standard input: lines of `old new ref`.
    selection &hook_lines(std::string_view lines) {
        return set(tinyci_selection_add_hook_lines, lines.data(), lines.size());
    }
    /// Adds what was said with the push, `git push -o`: `ci.skip` leaves what it brought untested.
    selection &push_option(const std::string &option) {
        return set(tinyci_selection_add_push_option, detail::text(option));
    }
    /// How long to follow another run in the same repository: 0 gives status::busy at once.
    selection &wait(std::chrono::milliseconds limit) {
        return set(tinyci_selection_set_wait_ms, static_cast<std::int64_t>(limit.count()));
    }
    /// Whether commits that are named run again though they have a verdict.
    selection &retry(bool yes = true) {
        return set(tinyci_selection_set_retry, std::int32_t{yes});
    }
    /// Whether such a retry may make the build anew of a commit that is deployed, in its place.
    selection &replace_live(bool yes = true) {
        return set(tinyci_selection_set_replace_live, std::int32_t{yes});
    }
    /// Whether to look under the baseline too, which holds what was there before tinyci.
    selection &all_history(bool yes = true) {
        return set(tinyci_selection_set_all_history, std::int32_t{yes});
    }
    /// Assumes the output of commands that match a glob: engine::plan uses it for named commits. The
    /// first that matches applies.
    selection &assume(const std::string &command, const std::string &output) {
        return set(tinyci_selection_add_assumption, detail::text(command), detail::text(output));
    }
    /// Judges every selected commit by this pipeline instead of its own config.
    selection &pipeline(const tinyci::pipeline &instead) {
        return set(tinyci_selection_set_pipeline, instead.handle_.get());
    }

private:
    friend class engine;

    template <class Function, class... Arguments>
    selection &set(Function *function, Arguments... arguments) {
        detail::call(function, handle_.get(), arguments...);
        return *this;
    }

    detail::handle<tinyci_selection> handle_;
};

/// Who ends a job or leaves a commit untested, and why. Without a name, whom git's configuration names.
struct intervention {
    std::string reason;
    std::string name;
    std::string address;
};

/// What is to be deployed. One that was only made is the newest commit that is green.
class deploy_request {
public:
    deploy_request() : handle_(detail::made(tinyci_deploy_request_new())) {}

    /// Names the commit, in any of git's revision syntax.
    deploy_request &revision(const std::string &name) {
        return set(tinyci_deploy_request_set_revision, detail::text(name));
    }
    /// Whether to go back to what was deployed before.
    deploy_request &rollback(bool yes = true) {
        return set(tinyci_deploy_request_set_rollback, std::int32_t{yes});
    }
    /// Whether to deploy also what is not green, which the record keeps.
    deploy_request &force(bool yes = true) {
        return set(tinyci_deploy_request_set_force, std::int32_t{yes});
    }
    /// Whether to deploy the commit's files at once, without what a build adds.
    deploy_request &bare(bool yes = true) {
        return set(tinyci_deploy_request_set_bare, std::int32_t{yes});
    }
    /// Who deploys. Without it, whom git's configuration names.
    deploy_request &by(const std::string &name, const std::string &address) {
        return set(tinyci_deploy_request_set_by, detail::text(name), detail::text(address));
    }
    /// Assumes the output of commands that match a glob: engine::deploy_plan uses it.
    deploy_request &assume(const std::string &command, const std::string &output) {
        return set(tinyci_deploy_request_add_assumption, detail::text(command),
                   detail::text(output));
    }
    /// Exactly what engine::deploy_plan gave, and only if nothing else is deployed there by then.
    deploy_request &plan(const value &planned) {
        const std::string json = planned.to_json();
        return set(tinyci_deploy_request_set_plan, json.c_str());
    }

private:
    friend class engine;

    template <class Function, class... Arguments>
    deploy_request &set(Function *function, Arguments... arguments) {
        detail::call(function, handle_.get(), arguments...);
        return *this;
    }

    detail::handle<tinyci_deploy_request> handle_;
};

/// Which old builds engine::prune removes. Without any rule those of the settings hold.
struct prune_rules {
    std::optional<std::int64_t> keep;                  ///< All but so many, the newest commits'.
    std::optional<std::chrono::milliseconds> max_age;  ///< Those that were last run longer ago.
    std::optional<std::int64_t> max_bytes;  ///< The oldest, until the rest takes no more.
};

/// A level that stops what it was given to: 1 ends the running command and still runs `after_all`,
/// 2 kills and stops. Copies are the same token, so that a timer or a thread can hold one for as
/// long as it likes.
class cancel_token {
public:
    cancel_token() : handle_(detail::made(tinyci_cancel_new())) {}
    /// Makes a token that is canceled when this one is, or on its own: for one of several runs.
    cancel_token child() const { return cancel_token(tinyci_cancel_child(handle_.get())); }
    /// Raises the level by one. From any thread, and from a signal handler.
    void cancel() const noexcept { tinyci_cancel_trigger(handle_.get()); }
    /// 0, 1 or 2.
    std::int32_t level() const noexcept { return tinyci_cancel_level(handle_.get()); }

private:
    friend class engine;
    explicit cancel_token(tinyci_cancel *owned) : handle_(detail::made(owned)) {}
    std::shared_ptr<tinyci_cancel> handle_;
};

/// Fills the tags of a template in: `<%= name %>` becomes the variable's value. Nothing is quoted;
/// a value that a shell could take for more than a word is refused.
inline std::string interpolate(const std::string &text,
                               const std::map<std::string, std::string> &vars = {}) {
    const auto set = detail::made(tinyci_vars_new());
    for (const auto &[name, to] : vars) {
        detail::call(tinyci_vars_set, set.get(), detail::text(name), detail::text(to));
    }
    return detail::make_text(tinyci_interpolate, detail::text(text), set.get());
}

// ---- Runs. ----

/// One thing that happened in a run, or that the run asks for. It belongs to its run, and lives
/// with what it gives until the next one is pulled. A text that the kind does not have is empty.
class event {
public:
    event_kind kind() const { return static_cast<event_kind>(tinyci_event_kind(from_)); }
    /// Its place among the events of its run, from 1 without gaps.
    std::uint64_t sequence() const { return tinyci_event_sequence(from_); }
    std::chrono::system_clock::time_point time() const {
        return std::chrono::system_clock::time_point(
            std::chrono::milliseconds(tinyci_event_time_ms(from_)));
    }
    /// The commit that it is about, in full.
    std::string_view commit() const { return detail::view(tinyci_event_commit(from_)); }
    /// The attempt at it: tells the events of several jobs apart.
    std::string_view job() const { return detail::view(tinyci_event_job_id(from_)); }
    /// The phase or hook.
    std::string_view step() const { return detail::view(tinyci_event_step(from_)); }
    /// The branch of a script's `parallel`, or its group.
    std::string_view label() const { return detail::view(tinyci_event_label(from_)); }
    /// The bytes of an output; the message of a warning or of waiting.
    std::string_view data() const {
        std::size_t length = 0;
        const std::uint8_t *data = tinyci_event_data(from_, &length);
        return detail::view(data, length);
    }
    /// The stream that an output came from.
    tinyci::stream stream() const {
        return static_cast<tinyci::stream>(tinyci_event_stream(from_));
    }
    /// Of what finished; of a hook, what is known of the commit so far.
    tinyci::outcome outcome() const {
        return static_cast<tinyci::outcome>(tinyci_event_outcome(from_));
    }
    /// The record of job_finished.
    std::optional<tinyci::record> record() const {
        const tinyci_record *record = tinyci_event_record(from_);
        if (record == nullptr) return std::nullopt;
        return detail::read(record);
    }
    /// What the log has for it. With the data of every output: what `tinyci run` shows.
    std::string_view log_lines() const { return detail::view(tinyci_event_log_lines(from_)); }
    /// The line that `tinyci run --json` prints; value::parse reads it.
    std::string_view json() const { return detail::view(tinyci_event_json(from_)); }
    /// The request that it is, to be answered now or later; an empty one if it is none, or if it
    /// was taken or answered before. One that nobody takes fails its step.
    request take_request() const { return std::move(asked_); }

private:
    friend class run;
    explicit event(const tinyci_event *from = nullptr)
        : from_(from), asked_(tinyci_event_take_request(from)) {}

    const tinyci_event *from_;
    // Taken at once, since only its name tells whether a function of the options answers it.
    mutable request asked_;
};

/// A run in progress, on threads of the library's. The host pulls its events, and must: nothing
/// goes on while a few wait. A range of events, which can be gone through once:
///
///     for (const tinyci::event &event : run) std::cout << event.data();
///
/// The functions of the options are called while an event is pulled. One that throws is a mistake of
/// the host's: no script catches it, the commit gets no verdict and is due again, and what the first
/// one threw is thrown out of the loop when the run has ended. A refusal fails the step instead.
/// Destroying a run that is not over stops it, at once and without `after_all`, and waits until its
/// threads and commands have ended.
class run {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = tinyci::event;
        using difference_type = std::ptrdiff_t;
        using pointer = const tinyci::event *;
        using reference = const tinyci::event &;

        iterator() = default;
        explicit iterator(run *of) : run_(of) { ++*this; }
        const tinyci::event &operator*() const { return run_->event_; }
        const tinyci::event *operator->() const { return &run_->event_; }
        iterator &operator++() {
            if (run_->next() == status::done) run_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &left, const iterator &right) {
            return left.run_ == right.run_;
        }
        friend bool operator!=(const iterator &left, const iterator &right) {
            return !(left == right);
        }

    private:
        run *run_ = nullptr;
    };

    /// Waits for the next event: so an iterator of a run must not outlive a move of it.
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

    /// For event loops: status::ok with an event in event(), status::again if none came in time,
    /// status::done after the last.
    tinyci::status next(std::chrono::milliseconds timeout = forever) {
        constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
        const auto wait = std::clamp<std::int64_t>(timeout.count(), -1, most);
        event_ = tinyci::event();
        const tinyci::status pulled = pull(static_cast<std::int32_t>(wait));
        if (pulled == status::ok) answer();
        if (pulled == status::done) throw_failure();
        return pulled;
    }
    /// The event that next() gave.
    const tinyci::event &event() const noexcept { return event_; }
    /// A descriptor that is readable whenever next() would not wait; it belongs to the run.
    int fd() const noexcept { return tinyci_run_fd(handle_.get()); }

    /// Raises the level of the token that the run was started with, or of its own.
    void cancel() const noexcept { cancel_.cancel(); }
    /// The token itself, for a timer or another thread.
    const cancel_token &token() const noexcept { return cancel_; }

    /// The records of a run that is over, in the order in which its commits were finished.
    std::vector<record> records() {
        return detail::read_all(detail::make<tinyci_records>(tinyci_run_records, handle_.get()));
    }
    /// The summary of a run that is over: what `tinyci run --json` prints last. Beside the records it
    /// has the commits that were not run, the deployments that followed, and as `fault` why the run
    /// had to stop.
    value summary() {
        return value::parse(detail::make_text(tinyci_run_summary_json, handle_.get()));
    }
    /// What became of a deployment that is over: its map of engine::deployments.
    value deployment() {
        return value::parse(detail::make_text(tinyci_run_deployment_json, handle_.get()));
    }
    /// The same as one outcome: success where the commit is deployed, waiting where a person has to
    /// approve first; none before its end, and for other runs.
    tinyci::outcome deploy_outcome() {
        return static_cast<tinyci::outcome>(tinyci_run_deploy_outcome(handle_.get()));
    }

private:
    friend class engine;

    run(detail::handle<tinyci_run> owned, std::shared_ptr<const detail::answers> answers,
        cancel_token cancel)
        : handle_(std::move(owned)), answers_(std::move(answers)), cancel_(std::move(cancel)) {}

    tinyci::status pull(std::int32_t wait) try {
        tinyci_event *out = nullptr;
        const tinyci::status pulled = detail::call(tinyci_run_next, handle_.get(), wait, &out);
        event_ = tinyci::event(out);
        return pulled;
    } catch (const error &) {
        // What the host's code threw says more than that the host failed.
        throw_failure();
        throw;
    }

    /// Throws what the host's code threw first, once.
    void throw_failure() {
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

    /// Has the host's code answer the event, where it does.
    void answer() {
        request &asked = event_.asked_;
        if (!asked || !answers_->know(event_.kind(), asked.name())) return;
        try {
            answers_->answer(event_.kind(), asked);
        } catch (const refusal &no) {
            settle(asked, [&] { asked.fail(no.what(), no.code()); });
        } catch (const std::exception &thrown) {
            if (!failure_) failure_ = std::current_exception();
            settle(asked, [&] { asked.abort(thrown.what()); });
        } catch (...) {
            if (!failure_) failure_ = std::current_exception();
            settle(asked, [&] { asked.abort("the host's function threw what is no exception"); });
        }
    }

    template <class Answer>
    static void settle(request &asked, Answer answer) {
        if (!asked) return;
        try {
            answer();
        } catch (const error &) {
            // Nobody waits for it any more.
        }
    }

    detail::handle<tinyci_run> handle_;
    std::shared_ptr<const detail::answers> answers_;
    cancel_token cancel_;
    tinyci::event event_;
    std::exception_ptr failure_;
};

/// One repository's continuous integration: finds the commits without a verdict, runs them, and
/// keeps what became of them in git notes. It holds no lock and no open file between calls, and its
/// runs do not need it any more.
class engine {
public:
    /// Opens exactly this repository: a bare one, the top of a work tree, or a `.git` folder.
    explicit engine(const std::filesystem::path &path, const options &set = options())
        : engine(tinyci_engine_open, path, set) {}
    /// Opens the repository that a directory is in: the nearest one at the directory or above it.
    static engine discover(const std::filesystem::path &directory,
                           const options &set = options()) {
        return engine(tinyci_engine_discover, directory, set);
    }

    /// The folder that holds `builds/`.
    std::filesystem::path path() const { return detail::view(tinyci_engine_path(handle_.get())); }
    /// Whether the repository has no working tree.
    bool is_bare() const { return tinyci_engine_is_bare(handle_.get()) != 0; }
    /// Warnings about the repository, a line for each, for a person to read: unknown settings, a
    /// repository that was moved, paths that commands cannot use.
    std::string warnings() const {
        return detail::make_text(tinyci_engine_warnings, handle_.get());
    }

    // -- Runs.

    /// Starts a run of the commits that are due. What keeps it from beginning, such as
    /// status::busy, is thrown when its first event is pulled.
    tinyci::run run(const selection &which = {}, const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_run_start, which.handle_.get());
    }
    /// Follows a run of another process or thread: what it logs comes as output. Runs nothing.
    tinyci::run follow(const selection &which = {}, const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_follow_start, which.handle_.get());
    }
    /// Starts steps of one commit by hand, in an export of their own until one fails. Each command
    /// comes as output before it runs. Nothing is recorded; the run's one record says how the steps
    /// ended. The flags are 0 or `steps_keep`, which leaves the export for a day.
    tinyci::run run_step(const std::string &revision, const std::vector<std::string> &steps,
                         std::uint32_t flags = 0, const cancel_token &cancel = {}) const {
        const std::string names = detail::lines(steps);
        return start(cancel, tinyci_steps_start, detail::text(revision), detail::text(names), flags);
    }
    /// Starts a deployment; without an environment, to the plan's that the request has, else to
    /// `production`. Nobody is asked whether it may begin: show a plan first. What keeps it from
    /// beginning is thrown when its first event is pulled.
    tinyci::run deploy(const std::string &environment = "", const deploy_request &what = {},
                       const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_deploy_start, detail::optional_text(environment),
                     what.handle_.get());
    }
    /// Goes back to what was deployed before, by default in `production`.
    tinyci::run rollback(const std::string &environment = "",
                         const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_rollback_start, detail::optional_text(environment));
    }

    /// Reads the log of a commit's last job, or of all runs for an empty revision. Its lines come as
    /// output, from so many of the last lines on, or all of them. Runs nothing, and has no records.
    /// The flags are 0 or `log_follow`, which continues with lines as they are written, until the job
    /// of the commit is over or the run is canceled.
    tinyci::run log(const std::string &revision = "",
                    std::optional<std::int64_t> lines = std::nullopt, std::uint32_t flags = 0,
                    const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_log_start, detail::optional_text(revision),
                     lines.value_or(-1), flags);
    }

    // -- What is there.

    /// The commits that are due, oldest first.
    std::vector<tinyci::commit> pending_commits(const selection &which = {}) const {
        return detail::read_all(
            detail::make<tinyci_commits>(tinyci_pending_commits, handle_.get(), which.handle_.get()));
    }
    /// The full id of the commit that a revision names.
    std::string resolve(const std::string &revision) const {
        return detail::make_text(tinyci_resolve, handle_.get(), detail::text(revision));
    }
    /// The commits that revisions name, in their order; far cheaper than a call for each.
    std::vector<tinyci::commit> commits(const std::vector<std::string> &revisions) const {
        const std::string all = detail::lines(revisions);
        return detail::read_all(
            detail::make<tinyci_commits>(tinyci_commits_load, handle_.get(), detail::text(all)));
    }
    /// The commit that a revision names.
    tinyci::commit commit(const std::string &revision) const {
        return commits({revision}).at(0);
    }
    /// The URL that pushes to a remote go to, without a name to `origin`.
    std::string remote_url(const std::string &remote = "") const {
        return detail::make_text(tinyci_remote_url, handle_.get(), detail::optional_text(remote));
    }
    /// The lines among a commit's records that tinyci cannot read: damaged ones, another program's,
    /// or forged ones.
    std::string unrecognized_lines(const std::string &revision) const {
        return detail::make_text(tinyci_unrecognized_lines, handle_.get(),
                                 detail::text(revision));
    }
    /// The reference of the script API, with the functions of this engine: what `tinyci defs` prints.
    std::string definitions(definitions_format written = definitions_format::markdown) const {
        return detail::make_text(tinyci_definitions, handle_.get(),
                                 static_cast<std::int32_t>(written));
    }
    /// The pipeline that a commit's config asks for.
    tinyci::pipeline pipeline(const std::string &revision) const {
        return tinyci::pipeline(detail::make<tinyci_pipeline>(tinyci_pipeline_load, handle_.get(),
                                                              detail::text(revision)));
    }
    /// Reads a pipeline that stands in no commit, with this engine's files and functions.
    tinyci::pipeline parse(std::string_view text, format written, const std::string &name) const {
        return tinyci::pipeline(detail::make<tinyci_pipeline>(
            tinyci_pipeline_parse, handle_.get(), text.data(), text.size(),
            static_cast<std::int32_t>(written), detail::text(name)));
    }
    /// What is kept of earlier runs, the newest commit first: those of one outcome, or of any, and
    /// at most `limit`, or all. The selection holds revisions and ranges, or nothing for every one.
    std::vector<record> records(const selection &which = {}, outcome only = outcome::none,
                                std::size_t limit = 0) const {
        return detail::read_all(detail::make<tinyci_records>(
            tinyci_records_query, handle_.get(), which.handle_.get(),
            static_cast<std::int32_t>(only), limit));
    }

    // -- Reports: what the command line prints with `--json`.

    /// What a run would do, without doing it.
    value plan(const selection &which = {}) const {
        return report(tinyci_plan_json, which.handle_.get());
    }
    /// What is wrong with the config of a commit.
    value check(const std::string &revision) const {
        return report(tinyci_check_json, detail::text(revision));
    }
    /// What is wrong with a config that is not committed yet. A script imports from a commit, or for
    /// an empty revision from the files below the engine's path.
    value check(std::string_view text, format written, const std::string &name,
                const std::string &revision = "") const {
        return report(tinyci_check_text_json, detail::optional_text(revision), text.data(),
                      text.size(), static_cast<std::int32_t>(written), detail::text(name));
    }
    /// Runs the tests of a script, all or those with one of these parts in their names. Nothing of
    /// the script is run. The flags are 0 or `test_coverage`, which finds out which lines no test
    /// runs.
    value test_pipeline(const test_source &source = {},
                        const std::vector<std::string> &filters = {},
                        std::uint32_t flags = 0) const {
        const std::string parts = detail::lines(filters);
        const char *folder =
            source.directory.empty() ? nullptr : detail::text(source.directory);
        return report(tinyci_test_pipeline_json, detail::optional_text(source.revision), folder,
                      detail::optional_text(parts), flags);
    }
    /// What became of commits, newest first, each as a map.
    std::vector<value> results(const selection &which = {}, outcome only = outcome::none,
                               std::size_t limit = 0, std::uint32_t flags = 0) const {
        return detail::json_lines(
            detail::make_text(tinyci_results_json, handle_.get(), which.handle_.get(),
                              static_cast<std::int32_t>(only), limit, flags));
    }

    /// How the repository stands: what runs, what is due, what is deployed where.
    value status() const { return report(tinyci_status_json); }
    /// Every setting that a repository can have, and what is set.
    std::vector<value> settings() const {
        return detail::json_lines(detail::make_text(tinyci_settings_json, handle_.get()));
    }
    /// What is deployed to an environment now, for an empty name to `production`; null for nothing.
    value deployed(const std::string &environment = "") const {
        const std::string found = detail::make_text(tinyci_deployed_json, handle_.get(),
                                                    detail::optional_text(environment));
        return found.empty() ? value() : value::parse(found);
    }
    /// What was deployed, newest first, to one environment or to all. Lines that a person should
    /// see are added to `warnings`.
    std::vector<value> deployments(const std::string &environment = "", std::size_t limit = 0,
                               std::string *warnings = nullptr) const {
        char *lines = nullptr;
        const std::string found =
            detail::make_text(tinyci_deployments_json, handle_.get(),
                              detail::optional_text(environment), limit, &lines);
        const detail::handle<char> owned(lines);
        if (warnings != nullptr) *warnings += detail::view(lines);
        return detail::json_lines(found);
    }
    /// What a deployment would do, without doing it: to be shown, and then to be carried out with
    /// deploy_request::plan.
    value deploy_plan(const std::string &environment = "", const deploy_request &what = {}) const {
        return report(tinyci_deploy_plan_json, detail::optional_text(environment),
                      what.handle_.get());
    }

    // -- Acts. Without an environment it is `production`, without a remote `origin`.

    /// Writes a commit's tree to a folder, which must not exist or be empty.
    void export_commit(const std::string &revision, const std::filesystem::path &folder,
                       const cancel_token &cancel = {}) const {
        detail::call(tinyci_export_commit, handle_.get(), detail::text(revision),
                     detail::text(folder), cancel.handle_.get());
    }
    /// The files that a job kept, or those of them at these paths, directories and globs. Without a
    /// job's id, of the newest job that kept any.
    value artifacts(const std::string &revision, const std::vector<std::string> &paths = {},
                    const std::string &job = "") const {
        const std::string wanted = detail::lines(paths);
        return report(tinyci_artifacts_json, detail::text(revision), detail::optional_text(job),
                      detail::optional_text(wanted));
    }
    /// Copies such files to a folder, each checked against the record. The flags are 0 or
    /// `artifacts_force`, which replaces files that exist. Gives the list of what was copied.
    value copy_artifacts(const std::string &revision, const std::filesystem::path &folder,
                         const std::vector<std::string> &paths = {}, const std::string &job = "",
                         std::uint32_t flags = 0, const cancel_token &cancel = {}) const {
        const std::string wanted = detail::lines(paths);
        return report(tinyci_artifacts_copy, detail::text(revision), detail::optional_text(job),
                      detail::optional_text(wanted), detail::text(folder), flags,
                      cancel.handle_.get());
    }
    /// Installs the git hook that runs what is pushed, with a sum of `install_*`. Gives lines that
    /// a person should see.
    std::string install(const std::string &command = "tinyci", std::uint32_t flags = 0) const {
        return detail::make_text(tinyci_install, handle_.get(), detail::text(command), flags);
    }
    /// Takes the hook out again. Gives lines that a person should see.
    std::string uninstall() const { return detail::make_text(tinyci_uninstall, handle_.get()); }
    /// Packs builds into `.tar.gz` files, except the newest, and these: names, paths, or commits'
    /// ids. Gives what was packed; its `not_removed` names what was not.
    value compact(std::size_t newest, const std::vector<std::string> &leave = {},
                  const cancel_token &cancel = {}) const {
        const std::string lines = detail::lines(leave);
        return report(tinyci_compact, newest, detail::text(lines), cancel.handle_.get());
    }
    /// Takes a commit's verdict away, so that it is due again. False where it had none.
    bool forget(const std::string &revision) const {
        return is_done(tinyci_forget, detail::text(revision));
    }
    /// Forgets the verdicts and records of all commits, and gives up what others deleted of tinyci's
    /// refs, which each run restores. Gives the refs.
    value forget_all() const { return report(tinyci_forget_all); }
    /// Ends the job of a commit in whatever process it is, or the whole run for an empty revision, with
    /// a sum of `job_cancel_*`; waits so long until it has ended. A run of this process has to be
    /// pulled on meanwhile. Gives what was ended.
    value cancel(const std::string &revision = "", const intervention &by = {},
                 std::uint32_t flags = 0, std::chrono::milliseconds wait = forever,
                 const cancel_token &cancel = {}) const {
        return report(tinyci_job_cancel, detail::optional_text(revision),
                      detail::optional_text(by.reason), detail::optional_text(by.name),
                      detail::optional_text(by.address), flags,
                      static_cast<std::int64_t>(wait.count()), cancel.handle_.get());
    }
    /// Gives a commit the verdict `skipped`; a job of it is ended first. Gives the record.
    value skip(const std::string &revision, const intervention &by = {},
               const cancel_token &cancel = {}) const {
        return report(tinyci_skip, detail::text(revision), detail::optional_text(by.reason),
                      detail::optional_text(by.name), detail::optional_text(by.address),
                      cancel.handle_.get());
    }
    /// Approves of one commit in one environment, as whom git's configuration names.
    value approve(const std::string &environment, const std::string &revision) const {
        return report(tinyci_approve, detail::optional_text(environment), detail::text(revision));
    }
    /// Says why an environment whose last deployment was interrupted can go on. False where there
    /// was nothing to unlock.
    bool unlock_deployments(const std::string &environment, const std::string &reason) const {
        return is_done(tinyci_unlock_deployments, detail::optional_text(environment),
                       detail::text(reason));
    }
    /// Puts on record that nothing runs in an environment any more, so that its builds are no longer
    /// pinned. False where it is retired already.
    bool retire(const std::string &environment) const {
        return is_done(tinyci_retire, detail::optional_text(environment));
    }
    /// Removes old builds, with a sum of `prune_*`. Gives what was removed; its `not_removed` names
    /// what does not go.
    value prune(const prune_rules &rules = {}, std::uint32_t flags = 0,
                const cancel_token &cancel = {}) const {
        const auto none = std::chrono::milliseconds(-1);
        return report(tinyci_prune, rules.keep.value_or(-1),
                      static_cast<std::int64_t>(rules.max_age.value_or(none).count()),
                      rules.max_bytes.value_or(-1), flags, cancel.handle_.get());
    }
    /// Has `git fetch` bring a remote's verdicts, records and deployments. Gives the lines of git's
    /// configuration that are new.
    std::string setup_remote(const std::string &remote = "") const {
        return detail::make_text(tinyci_setup_remote, handle_.get(),
                                 detail::optional_text(remote));
    }
    /// Takes those lines out again. Gives them.
    std::string undo_setup_remote(const std::string &remote = "") const {
        return detail::make_text(tinyci_undo_setup_remote, handle_.get(),
                                 detail::optional_text(remote));
    }
    /// Merges what was last fetched of a remote's verdicts and records. False where nothing was new.
    bool merge_results(const std::string &remote = "") const {
        return is_done(tinyci_merge_results, detail::optional_text(remote));
    }

private:
    using open_function = decltype(tinyci_engine_open);

    engine(open_function *open, const std::filesystem::path &path, const options &set)
        : answers_(std::make_shared<detail::answers>(set.answers_)) {
        if (tinyci_abi() != TINYCI_ABI || tinyci_version_number() < TINYCI_VERSION_NUMBER) {
            throw error(tinyci::status::unsupported, "this program is built for tinyci " TINYCI_VERSION
                                                     ", and has loaded " + std::string(version()));
        }
        handle_ = detail::make<tinyci_engine>(open, detail::text(path), set.handle_.get());
    }

    template <class Function, class... Arguments>
    tinyci::run start(const cancel_token &cancel, Function *function,
                      Arguments... arguments) const {
        auto started = detail::make<tinyci_run>(function, handle_.get(), arguments...,
                                                cancel.handle_.get());
        return tinyci::run(std::move(started), answers_, cancel);
    }
    template <class Function, class... Arguments>
    bool is_done(Function *function, Arguments... arguments) const {
        return detail::call(function, handle_.get(), arguments...) == tinyci::status::ok;
    }
    template <class Function, class... Arguments>
    value report(Function *function, Arguments... arguments) const {
        return value::parse(detail::make_text(function, handle_.get(), arguments...));
    }

    std::shared_ptr<const detail::answers> answers_;
    detail::handle<tinyci_engine> handle_;
};

}  // namespace tinyci

#endif  // TINYCI_HPP
