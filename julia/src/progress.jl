# A progress bar for long work, for terminals.

mutable struct ProgressBar
    total::Int
    done::Int
    on::Bool
    started::Float64
    printed::Float64
end

"""
    XConv.ProgressBar(total; on=stderr isa Base.TTY)

Call `XConv.step!(bar, text)` after each of `total` pieces of work.
"""
ProgressBar(total::Integer; on::Bool=stderr isa Base.TTY) =
    ProgressBar(total, 0, on && total > 0, time(), 0.0)

function step!(bar::ProgressBar, text::AbstractString="")
    bar.done += 1
    bar.on || return nothing
    now = time()
    finished = bar.done >= bar.total
    finished || now - bar.printed > 0.1 || return nothing
    bar.printed = now
    filled = round(Int, 30 * bar.done / bar.total)
    left = (now - bar.started) / bar.done * (bar.total - bar.done)
    print(stderr, "\r[", "="^filled, " "^(30 - filled), "] ", bar.done, "/", bar.total,
        finished ? "" : ", $(round(Int, left)) s left", isempty(text) ? "" : ", $text", "\e[K",
        finished ? "\n" : "")
    return nothing
end
