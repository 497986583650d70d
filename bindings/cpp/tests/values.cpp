// Values, and the JSON that they are read from and written as.

#include "check.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

#include <tinyci.hpp>

using tinyci::code;
using tinyci::value;

TEST(values_hold_what_they_were_given) {
    CHECK(value().is_null());
    EQUAL(value(true).as<bool>(), true);
    EQUAL(value(7u).as<std::int64_t>(), 7);
    EQUAL(value(std::size_t{3}).number(), 3.0);
    EQUAL(value(0.5).number(), 0.5);
    EQUAL(value("text").as<std::string>(), "text");
    const value map = value::map{{"list", value::array{1, "two", nullptr}}};
    EQUAL(map.at("list").at(0).number(), 1.0);
    EQUAL(map.at("list").at(1).as<std::string>(), "two");
    CHECK(map.find("none") == nullptr);
    CHECK(map == value::parse(map.to_json()));
    CHECK(map != value());
    THROWN(std::out_of_range, map.at("none"));
    THROWN(std::out_of_range, map.at("list").at(3));
    THROWN(std::bad_variant_access, map.as<bool>());
    THROWN(std::out_of_range, value(std::numeric_limits<std::uint64_t>::max()));
    static_assert(!std::is_convertible_v<void *, value>, "a pointer is no truth value");
}

TEST(values_come_out_of_json_as_they_went_in) {
    for (const char *json : {
             "null", "true", "false", "0", "-5", "9223372036854775807", "-9223372036854775808",
             "0.25", "-1.5e+300", "\"\"", R"("\"\\")", "[]", "{}", R"([1,"a",[null]])",
             R"({"a":[1,true],"b":{}})", R"("\u0000\u001f")"}) {
        EQUAL(value::parse(json).to_json(), json);
    }
    EQUAL(value::parse(" [ 1 , 2 ]\r\n\t").to_json(), "[1,2]");
    EQUAL(value::parse(R"("\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00")").as<std::string>(),
          "/\b\f\n\r\t\u00e9\u20ac\U0001f600");
    EQUAL(value::parse("\"caf\xc3\xa9\"").to_json(), "\"caf\xc3\xa9\"");
    EQUAL(value(2.0).to_json(), "2.0");
    CHECK(value::parse("1e2").is<double>());
    EQUAL(value::parse("9223372036854775808").as<double>(), 9223372036854775808.0);
    const double third = 1.0 / 3;
    EQUAL(value::parse(value(third).to_json()).as<double>(), third);
}

TEST(what_is_not_json_is_refused) {
    for (const char *text : {"", " ", "nul", "tru", "+1", "01", "-", "1.", ".5", "1e", "1 2", "[1",
                             "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\"a",
                             "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"\\ud800\"",
                             "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "\"\\", "1e999", "[1}",
                             "\xff"}) {
        EQUAL(THROWN(tinyci::error, value::parse(text)).code(), code::invalid_arg);
    }
    EQUAL(THROWN(tinyci::error, value::parse("[true, x]")).what(),
          std::string("invalid JSON: expected a value at byte 7"));
    THROWN(tinyci::error, value::parse(std::string(100000, '[')));
    THROWN(tinyci::error, value(std::nan("")).to_json());
    THROWN(tinyci::error, value(std::numeric_limits<double>::infinity()).to_json());
}
