//! PDF files built in code.

use std::fmt::Write as _;

/// Collects objects; the catalog is object 1, the page tree object 2.
pub(super) struct PdfBuilder {
    objects: Vec<Vec<u8>>,
    pages: Vec<usize>,
    /// Further entries of the catalog.
    pub(super) catalog: String,
    /// What `/Count` says, if not the truth.
    pub(super) count: Option<usize>,
}

impl PdfBuilder {
    pub(super) fn new() -> Self {
        Self { objects: vec![Vec::new(); 2], pages: Vec::new(), catalog: String::new(), count: None }
    }

    /// Adds an object; returns its number.
    pub(super) fn add(&mut self, object: impl Into<Vec<u8>>) -> usize {
        self.objects.push(object.into());
        self.objects.len()
    }

    /// Adds a stream with the entries of `dict` besides its length.
    pub(super) fn stream(&mut self, dict: &str, data: &[u8]) -> usize {
        let head = format!("<< {dict} /Length {} >>\nstream\n", data.len());
        self.add([head.as_bytes(), data, b"\nendstream"].concat())
    }

    /// Adds an image.
    pub(super) fn image(&mut self, (width, height): (u32, u32), dict: &str, data: &[u8]) -> usize {
        let dict = format!("/Type /XObject /Subtype /Image /Width {width} /Height {height} {dict}");
        self.stream(&dict, data)
    }

    /// Adds a page with `content`, the image `/I` and `entries` in its dictionary.
    pub(super) fn page(&mut self, image: usize, content: &str, entries: &str) -> usize {
        let content = self.stream("", content.as_bytes());
        let page = self.add(format!(
            "<< /Type /Page /Parent 2 0 R /Contents {content} 0 R {entries} /Resources << /XObject << /I {image} 0 R >> \
             /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
        ));
        self.pages.push(page);
        page
    }

    /// Adds an object that stands among the pages.
    pub(super) fn kid(&mut self, object: usize) {
        self.pages.push(object);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let kids = self.pages.iter().fold(String::new(), |mut kids, page| {
            let _ = write!(kids, "{page} 0 R ");
            kids
        });
        let count = self.count.unwrap_or(self.pages.len());
        self.objects[0] = format!("<< /Type /Catalog /Pages 2 0 R {} >>", self.catalog).into();
        self.objects[1] = format!("<< /Type /Pages /Count {count} /Kids [ {kids} ] >>").into();
        let mut file = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.objects.len() + 1);
        for (index, object) in self.objects.iter().enumerate() {
            let _ = writeln!(table, "{:010} 00000 n ", file.len());
            file.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
            file.extend_from_slice(object);
            file.extend_from_slice(b"\nendobj\n");
        }
        let start = file.len();
        let trailer = format!(
            "{table}trailer\n<< /Size {} /Root 1 0 R /ID [ <00112233445566778899aabbccddeeff> \
             <00112233445566778899aabbccddeeff> ] >>\nstartxref\n{start}\n%%EOF\n",
            self.objects.len() + 1
        );
        file.extend_from_slice(trailer.as_bytes());
        file
    }
}

/// Paints the image `/I` over a page of `width` × `height` points.
pub(super) fn over_page(width: u32, height: u32) -> String {
    format!("q {width} 0 0 {height} 0 0 cm /I Do Q")
}

/// A file of one page that its image fills, 72 × 72 points.
pub(super) fn one_image(size: (u32, u32), dict: &str, data: &[u8]) -> Vec<u8> {
    let mut file = PdfBuilder::new();
    let image = file.image(size, dict, data);
    file.page(image, &over_page(72, 72), "/MediaBox [0 0 72 72]");
    file.finish()
}

/// A zlib stream.
pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
