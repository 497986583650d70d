// What the tests are made of: checks that say where they failed, and real repositories.

#ifndef CHECK_HPP
#define CHECK_HPP

#include <chrono>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace check {

struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail(const char *file, int line, const std::string &what) {
    throw failure(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

template <class Left, class Right>
void equal(const char *file, int line, const char *code, const Left &left, const Right &right) {
    if (left == right) return;
    std::ostringstream what;
    what << code << ":\n  left  " << left << "\n  right " << right;
    fail(file, line, what.str());
}

/// What it throws, which has to be of this type.
template <class Thrown, class Call>
Thrown thrown(const char *file, int line, const char *code, Call call) {
    try {
        call();
    } catch (const Thrown &it) {
        return it;
    }
    fail(file, line, std::string(code) + " throws nothing");
}

/// Long enough for any machine, short enough to notice that something hangs.
constexpr std::chrono::seconds patience{120};

/// Waits until a condition holds.
template <class Condition>
void eventually(const std::string &what, Condition holds) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) throw failure("waited in vain: " + what);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

/// Puts a test on the list.
struct test {
    test(const char *name, void (*run)());
};

/// A repository in a separate directory, made by the real git; deleted with this object.
class repository {
public:
    repository();
    /// With one commit, whose config this is.
    explicit repository(const std::string &config, const std::string &name = ".tinyci.yml");
    ~repository();
    repository(const repository &) = delete;
    repository &operator=(const repository &) = delete;

    std::filesystem::path path() const { return folder_ / "repo"; }
    std::filesystem::path outside(const std::string &name) const { return folder_ / name; }
    /// Runs git, which has to succeed, and gives what it prints, less the last newline.
    std::string git(const std::string &arguments) const;
    void write(const std::string &name, const std::string &text) const;
    /// Commits all that there is, and gives the full id.
    std::string commit(const std::string &message) const;
    /// How many commits have a verdict.
    std::size_t verdicts() const;

private:
    std::filesystem::path folder_;
};

std::string read_file(const std::filesystem::path &path);
/// Whether this process runs. A zombie does not.
bool is_alive(const std::string &process);

}  // namespace check

#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition)) check::fail(__FILE__, __LINE__, #condition);       \
    } while (false)
#define EQUAL(left, right) check::equal(__FILE__, __LINE__, #left " == " #right, left, right)
#define THROWN(type, ...) \
    check::thrown<type>(__FILE__, __LINE__, #__VA_ARGS__, [&] { (void)(__VA_ARGS__); })
#define TEST(name)                                      \
    static void name();                                 \
    static const check::test name##_is_one(#name, name); \
    static void name()

#endif
