#include "findings.h"

#include "sites.h"

constexpr int most_findings = 24;

int findings_written;
static int output = -1;
static int launch_number;

void findings_to(int fd) { output = fd; }
void findings_begin_launch(int number) { launch_number = number; }

namespace {

// One line, built without the C library's formatting, which a crash handler must not use.
struct Line {
    char text[512];
    unsigned length = 0;

    void add(int64_t value) {
        char digits[24];
        unsigned count = 0;
        uint64_t magnitude = static_cast<uint64_t>(value);
        if (value < 0) magnitude = 0 - magnitude;
        do digits[count++] = static_cast<char>('0' + magnitude % 10);
        while ((magnitude /= 10) != 0);
        if (value < 0) digits[count++] = '-';
        while (count) text[length++] = digits[--count];
        text[length++] = ' ';
    }
    void add(const unsigned* triple) {
        for (int i = 0; i < 3; ++i) add(static_cast<int64_t>(triple[i]));
    }
};

}  // namespace

static void emit(Kind kind, const Party& self, const Place& place, const Party& other) {
    static const unsigned nobody[3] = {0, 0, 0};
    ++findings_written;
    Line line;
    line.add(static_cast<int>(kind));
    line.add(launch_number);
    line.add(self.site);
    line.add(hip_emulator_indices + 3);
    line.add(self.lane->thread);
    line.add(other.lane ? 1 : 0);
    line.add(other.lane ? other.lane->thread : nobody);
    line.add(other.site);
    line.add(static_cast<int>(place.space));
    line.add(place.object);
    line.add(place.offset);
    line.add(place.size);
    line.add(place.extent);
    line.text[line.length - 1] = '\n';
    write(output, line.text, line.length);
}

void report(Kind kind, const Party& self, const Place& place, const Party& other) {
    if (output < 0 || findings_written >= most_findings || reported_before(self.site, kind)) return;
    emit(kind, self, place, other);
}

void report(Kind kind, int site, const Place& place) {
    report(kind, Party{current, site}, place, Party{nullptr, 0});
}
