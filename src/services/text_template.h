// TextTemplate: a text with places for arguments: {name}, {0}; {{ and }} are braces.
//
// Errors   kUsage when it is read: an unknown name with the nearest one, a brace that is not
// closed. Source   docs/formats/http_functions.md, "Templates"
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workers/signature.h"

namespace coppice::services {

struct TextTemplate {
  struct Piece {
    std::string text;        // when there is no argument
    int argument = -1;       // number of the parameter
    bool mime_type = false;  // {picture.mime}
    bool operator==(const Piece&) const = default;
  };
  std::vector<Piece> pieces;

  // The whole text is one argument.
  bool is_one_argument() const { return pieces.size() == 1 && pieces[0].argument >= 0; }
};

// `where` names the text in messages: "SET prompt".
TextTemplate parse_template(std::string_view text, const std::vector<Parameter>& parameters,
                            std::string_view where);

// Notes which parameters the template uses, by number.
void note_uses(const TextTemplate& text, std::vector<bool>& used);

// Throws kUsage naming a parameter that is not used; `where` says by what.
void require_all_used(const std::vector<bool>& used, const std::vector<Parameter>& parameters,
                      std::string_view where);

// A value that is no media object as a text: 'true', '1.5', arrays and jsonb as JSON.
std::string value_text(const Value& value);

}  // namespace coppice::services
