// Answers the requests of `nibble suggest --stdio` with the predictions of presage.
//
//   suggest CONFIGURATION
//
// presage sees the text before the cursor as it is and learns nothing from it. It takes apostrophes
// for the ends of words: its prefix within "don't" is "t", and what stands before is kept. Its words
// are in lower case; the letters that were typed stay as they are. Where it offers only what was
// typed, its next word takes that place. `after` and `field` change nothing.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <presage.h>

using nlohmann::ordered_json;

namespace {

constexpr std::size_t slots_by_default = 3;
constexpr std::size_t most_slots = 1000;

class Text : public PresageCallback {
public:
    std::string before;

    std::string get_past_stream() const override { return before; }
    std::string get_future_stream() const override { return ""; }
};

struct InvalidRequest : std::runtime_error {
    using std::runtime_error::runtime_error;
};

bool continues_scalar(unsigned char byte) { return (byte & 0xC0) == 0x80; }

std::size_t scalars(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char byte) { return !continues_scalar(byte); });
}

// Where the word before the cursor begins: after the last character of ASCII that no word holds.
std::size_t word_start(const std::string& text) {
    const auto is_in_word = [](unsigned char byte) {
        return byte >= 0x80 || std::isalnum(byte) || byte == '\'' || byte == '-';
    };
    std::size_t start = text.size();
    while (start > 0 && is_in_word(text[start - 1])) --start;
    while (start < text.size() && (text[start] == '\'' || text[start] == '-')) ++start;
    return start;
}

class Server {
public:
    explicit Server(const std::string& configuration) : presage_(&text_, configuration) {}

    ordered_json reply(const std::string& line) {
        ordered_json request;
        try {
            request = ordered_json::parse(line);
        } catch (const ordered_json::parse_error& error) {
            throw InvalidRequest("not JSON at byte " + std::to_string(error.byte));
        }
        if (request.is_object() && request.contains("before")) return answer(request);
        if (is_act(request)) return {{"ok", true}};
        throw InvalidRequest("neither a request, which has \"before\", nor an act");
    }

private:
    static bool is_act(const ordered_json& line) {
        if (!line.is_object() || line.size() != 1) return false;
        const std::string name = line.begin().key();
        const ordered_json& value = line.begin().value();
        return (name == "commit" && value.is_string()) ||
               (name == "accept" && value.is_number_unsigned()) ||
               (name == "revert" && value.is_boolean()) || (name == "reset" && value.is_boolean()) ||
               (name == "conversation" && value.is_array());
    }

    static void check(const ordered_json& request) {
        for (const auto& [name, value] : request.items()) {
            const bool is_right = name == "id" ||
                                  ((name == "before" || name == "after" || name == "field") &&
                                   value.is_string()) ||
                                  (name == "wait" && value.is_boolean()) ||
                                  (name == "slots" && value.is_number_unsigned());
            if (!is_right) throw InvalidRequest("not a request: unknown field, or one of the wrong type");
        }
    }

    ordered_json answer(const ordered_json& request) {
        check(request);
        const std::size_t slots = request.value("slots", slots_by_default);
        if (slots > most_slots) {
            throw InvalidRequest("slots: " + std::to_string(slots) + " is more than " +
                                 std::to_string(most_slots));
        }
        text_.before = request["before"].get<std::string>();
        // presage writes what it looks up into SQL, where a null would end the statement.
        std::replace(text_.before.begin(), text_.before.end(), '\0', ' ');
        set_slots(slots + 1);
        const std::string typed = text_.before.substr(word_start(text_.before));

        ordered_json suggestions = ordered_json::array();
        for (const std::string& word : presage_.predict()) {
            const std::string text = typed + completion(word);
            if (text == typed || suggestions.size() == slots) continue;
            suggestions.push_back({{"text", text},
                                   {"kind", typed.empty() ? "next" : "completion"},
                                   {"score", 0},
                                   {"replace", scalars(typed)}});
        }
        ordered_json answer = ordered_json::object();
        if (request.contains("id") && !request["id"].is_null()) answer["id"] = request["id"];
        answer["suggestions"] = suggestions;
        answer["fresh"] = true;
        answer["passes"] = 0;
        answer["speculative"] = 0;
        return answer;
    }

    // What `word` adds to the prefix, without the space that presage puts behind it.
    std::string completion(const std::string& word) {
        std::string rest = presage_.completion(word);
        if (!rest.empty() && rest.back() == ' ') rest.pop_back();
        return rest;
    }

    // Changing a setting is slow.
    void set_slots(std::size_t slots) {
        if (slots == slots_) return;
        presage_.config("Presage.Selector.SUGGESTIONS", std::to_string(slots));
        slots_ = slots;
    }

    Text text_;
    Presage presage_;
    std::size_t slots_ = 0;
};

ordered_json failure(const char* kind, const std::string& message) {
    return {{"error", {{"kind", kind}, {"message", message}}}};
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: suggest CONFIGURATION\n";
        return 2;
    }
    try {
        Server server(arguments[1]);
        std::string line;
        while (std::getline(std::cin, line)) {
            ordered_json reply;
            try {
                reply = server.reply(line);
            } catch (const InvalidRequest& error) {
                reply = failure("invalid_request", error.what());
            } catch (const PresageException& error) {
                reply = failure("presage", error.what());
            }
            std::cout << reply.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << std::endl;
        }
    } catch (const std::exception& error) {
        std::cerr << "suggest: " << error.what() << '\n';
        return 1;
    }
}
