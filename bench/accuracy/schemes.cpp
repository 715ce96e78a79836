#include "schemes.hpp"

namespace study {

demo::Scheme parse_scheme(const std::string &text)
{
    for (const std::string word : {"gaussian", "uniform"})
        if (text.ends_with("+" + word))
            return demo::parse_scheme(text.substr(0, text.size() - word.size() - 1), 1,
                                      demo::parse_distribution(word));
    return demo::parse_scheme(text, 1, xconv::Distribution::rademacher);
}

} // namespace study
