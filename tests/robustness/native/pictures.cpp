// The kernels that read and write pictures.
#include <algorithm>
#include <numeric>

#include "drawing.hpp"
#include "given.hpp"
#include "mask.hpp"
#include "picture.hpp"
#include "postprocess.hpp"
#include "preprocess.hpp"
#include "sector.hpp"
#include "speckle.hpp"

namespace echo_rt::fuzz {

namespace {

constexpr int kSide = 40;

// An image as NumPy may hold it: rows and pixels apart, turned around, colours turned around or in planes.
struct Image {
  std::vector<uint8_t> memory;
  int height, width, channels;
  std::ptrdiff_t row_bytes, pixel_bytes, colour_bytes;
  const uint8_t* first;

  Image(Given& given, int least) : height(given.whole(least, kSide)), width(given.whole(least, kSide)) {
    channels = given.coin() ? 3 : 1;
    const bool planes = given.coin();
    const std::ptrdiff_t gap = given.whole(0, 2);
    colour_bytes = planes ? height * (width + gap) : 1;
    pixel_bytes = (planes ? 1 : channels) * given.whole(1, 3);
    if (planes) pixel_bytes = 1;
    row_bytes = width * pixel_bytes + (planes ? gap : gap * channels);
    // As many as there are from the first pixel to the last one, so that what is read beyond either is seen.
    const std::ptrdiff_t span = std::max<std::ptrdiff_t>(height - 1, 0) * row_bytes +
                                std::max<std::ptrdiff_t>(width - 1, 0) * pixel_bytes + (channels - 1) * colour_bytes +
                                1;
    memory = given.levels(height && width ? static_cast<std::size_t>(span) : 0);
    first = memory.data();
    const auto turn = [&](std::ptrdiff_t& step, int count) {
      if (count < 1 || !given.coin()) return;
      first += (count - 1) * step, step = -step;
    };
    if (memory.empty()) return;
    turn(row_bytes, height), turn(pixel_bytes, width), turn(colour_bytes, channels);
  }
};

GridMap map_of(Given& given) {
  GridMap map{given.real(),          given.real(),          given.real(),         given.whole(1, kSide),
              given.whole(1, kSide), given.whole(1, kSide), given.whole(1, kSide)};
  if (!(map.scale > 0)) map.scale = 1;
  return map;
}

void preprocessed(Given& given) {
  const GridMap map = map_of(given);
  const Plan plan(map, static_cast<float>(given.whole(0, 255)), static_cast<float>(given.whole(1, 99)));
  const int channels = given.coin() ? 3 : 1;
  std::ptrdiff_t row_bytes = map.image_width * channels + given.whole(0, 5);
  const auto image = given.levels((map.image_height - 1) * row_bytes + map.image_width * channels);
  const uint8_t* first = image.data();
  if (given.coin()) first += (map.image_height - 1) * row_bytes, row_bytes = -row_bytes;
  std::vector<float> out(static_cast<std::size_t>(map.height) * map.width);
  preprocess(plan, first, row_bytes, channels, out.data());
}

void postprocessed(Given& given) {
  const auto pixels = static_cast<std::size_t>(given.whole(1, 1100));
  const auto logits = given.layer(kClasses * pixels);
  std::vector<float> probability(logits.size());
  std::vector<uint8_t> labels(pixels);
  postprocess(logits.data(), static_cast<std::ptrdiff_t>(pixels), probability.data(), labels.data());
  for (std::size_t i = 0; i < pixels; ++i) {
    hold(labels[i] < kClasses, "a label is that of a class");
    float sum = 0;
    bool finite = true;
    for (int k = 0; k < kClasses; ++k) {
      sum += probability[k * pixels + i], finite &= std::isfinite(logits[k * pixels + i]);
    }
    hold(!finite || std::abs(sum - 1) < 1e-5f, "probabilities add up to one");
  }
}

void enlarged(Given& given) {
  const GridMap map = map_of(given);
  const auto probability = given.layer(static_cast<std::size_t>(kClasses) * map.height * map.width);
  std::vector<uint8_t> out(static_cast<std::size_t>(map.image_height) * map.image_width, 255);
  enlarge(probability.data(), map, out.data());
  hold(std::all_of(out.begin(), out.end(), [](uint8_t label) { return label < kClasses; }), "every pixel has a class");
}

void tinted(Given& given) {
  const std::ptrdiff_t height = given.whole(0, kSide), width = given.whole(0, kSide), gap = given.whole(0, 4);
  const Field layer{nullptr, given.whole(0, kSide), given.whole(0, kSide)};
  const auto size = static_cast<std::size_t>(layer.height * layer.width);
  const Tint how{given.whole(0, 3),
                 static_cast<float>(std::abs(given.finite())),
                 static_cast<float>(given.finite()),
                 static_cast<float>(given.finite()),
                 {0, 255, static_cast<float>(given.whole(0, 255))},
                 static_cast<float>(given.whole(0, 10)) / 10};
  if (!(how.scale > 0) || !std::isfinite(how.scale + std::abs(how.x_shift) + std::abs(how.y_shift))) return;
  const auto probability = given.layer(size);
  auto labels = given.levels(size);
  for (uint8_t& label : labels) label &= 3;
  const std::ptrdiff_t row_bytes = 3 * width + gap;
  std::vector<uint8_t> picture(height && width ? height * row_bytes - gap : 0, 77);
  tint({picture.data(), height, width, row_bytes}, labels.data(), {probability.data(), layer.height, layer.width}, how);
  for (std::ptrdiff_t y = 0; width && y + 1 < height; ++y) {
    for (std::ptrdiff_t x = 3 * width; x < row_bytes; ++x) {
      hold(picture[y * row_bytes + x] == 77, "nothing is drawn beside the picture");
    }
  }
}

void coarsened(Given& given) {
  const Image image(given, 1);
  const int rows = given.whole(1, image.height), columns = given.whole(1, image.width);
  const Window window{given.whole(0, rows), given.whole(0, rows), given.whole(0, columns), given.whole(0, columns)};
  const CoarseGrid grid{rows, columns, given.any_whole(), given.any_whole(), window};
  std::vector<uint8_t> level(static_cast<std::size_t>(rows) * columns), lit(level.size());
  const Pixels pixels{image.first,    image.row_bytes, image.pixel_bytes, image.colour_bytes,
                      image.channels, image.height,    image.width};
  const double share = coarse(pixels, grid, level.data(), lit.data());
  hold(share >= 0, "a share is no less than nothing");
  hold(std::all_of(lit.begin(), lit.end(), [](uint8_t one) { return one <= 1; }), "a pixel is lit or not");
}

void sectors(Given& given) {
  const int height = given.whole(0, kSide), width = given.whole(0, kSide);
  auto lit = given.levels(static_cast<std::size_t>(height) * width);
  const int dark = given.whole(0, 255);
  for (uint8_t& one : lit) one = one > dark;
  const auto corners = sector(lit.data(), height, width, given.real());
  for (const Point& corner : corners) {
    hold(corner.x >= 0 && corner.x < width && corner.y >= 0 && corner.y < height, "a corner lies in the picture");
  }
  if (corners.size() < 3) return;
  std::vector<double> depths(corners.size());
  const Points hull{corners.data(), corners.size()};
  depth(hull, hull, depths.data());
  for (const double one : depths) hold(std::abs(one) < 1e-9, "a corner is on the border");
}

void in_cells(Given& given) {
  const Image image(given, 1);
  const int cell = given.whole(1, std::min(image.height, image.width)), least = (cell - 1) / 16 + 1;
  const int stride = given.coin() ? given.whole(least, 50) : given.whole(least, std::numeric_limits<int>::max());
  const int row = given.whole(0, image.height / cell - 1), column = given.whole(0, image.width / cell - 1);
  const int rows = given.whole(1, image.height / cell - row), columns = given.whole(1, image.width / cell - column);
  std::vector<float> means(static_cast<std::size_t>(rows) * columns);
  const uint8_t* first = image.first + (image.channels == 3 ? image.colour_bytes : 0) +
                         static_cast<std::ptrdiff_t>(row) * cell * image.row_bytes +
                         static_cast<std::ptrdiff_t>(column) * cell * image.pixel_bytes;
  cells(first, image.row_bytes, image.pixel_bytes, {rows, columns, cell, stride}, means.data());
  for (const float mean : means) hold(mean >= 0 && mean < 255.01f, "a mean is that of levels");
}

}  // namespace

const std::vector<Harness> kPictures{{"preprocess", preprocessed}, {"postprocess", postprocessed},
                                     {"enlarge", enlarged},        {"tint", tinted},
                                     {"coarse", coarsened},        {"sector", sectors},
                                     {"cells", in_cells}};

}  // namespace echo_rt::fuzz
