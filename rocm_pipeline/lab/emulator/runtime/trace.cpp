#include "trace.h"

bool trace_enabled;

// Words of 32 bits: block (in the order of running), site, wave << 16 | work-items, bytes, number
// of lines, lines. Read by rocm_pipeline/lab/emulator/trace.py.
constexpr unsigned head_words = 5, most_words = 1 << 16;
constexpr uint32_t launch_mark = 0xffffffff;

static uint32_t words[most_words];
static unsigned word_count;
static int output = -1;

void trace_to(int fd) {
    output = fd;
    trace_enabled = true;
}

void trace_flush() {
    const char* begin = reinterpret_cast<const char*>(words);
    size_t left = word_count * sizeof(uint32_t);
    while (left) {
        long written = write(output, begin, left);
        if (written <= 0) _exit(71);
        begin += written;
        left -= static_cast<size_t>(written);
    }
    word_count = 0;
}

static void make_room(unsigned count) {
    if (word_count + count > most_words) trace_flush();
}

void trace_begin_launch(int number) {
    if (!trace_enabled) return;
    make_room(head_words);
    const uint32_t head[head_words] = {launch_mark, static_cast<uint32_t>(number), 0, 0, 0};
    memcpy(words + word_count, head, sizeof(head));
    word_count += head_words;
}

void trace_request(
    int site, unsigned wave, unsigned lanes, uint64_t bytes, const uint64_t* lines,
    unsigned count) {
    make_room(head_words + count);
    uint32_t* place = words + word_count;
    place[0] = static_cast<uint32_t>(block_order);
    place[1] = static_cast<uint32_t>(site);
    place[2] = wave << 16 | lanes;
    place[3] = static_cast<uint32_t>(bytes);
    place[4] = count;
    for (unsigned i = 0; i < count; ++i) place[head_words + i] = static_cast<uint32_t>(lines[i]);
    word_count += head_words + count;
}
